"""Turns are fair for any mix of clients and requests: nobody gets two turns while somebody else waits for one."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from services.executor.lanes import Lanes
from services.executor.order import Order
from services.executor.sandbox import Sandbox

Mix = st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 6)), min_size=1, max_size=8)


def nothing(sandbox: Sandbox, _: object) -> None:
    """Work that is never done here."""


def lanes_with(mix: Sequence[tuple[str, int]]) -> tuple[Lanes, list[Order]]:
    async def make() -> list[Order]:
        return [Order([nothing] * works, client) for client, works in mix]

    lanes, orders = Lanes(), asyncio.run(make())
    for order in orders:
        lanes.add(order)
    return lanes, orders


@given(Mix)
def test_clients_and_then_requests_differ_by_one_turn_at_most(mix: Sequence[tuple[str, int]]) -> None:
    lanes, orders = lanes_with(mix)
    totals = Counter[str]()
    for client, works in mix:
        totals[client] += works
    turns = Counter[str]()
    while job := lanes.take():
        turns[job[0].client] += 1
        for one, other in combinations(totals, 2):
            if turns[one] < totals[one] and turns[other] < totals[other]:
                assert abs(turns[one] - turns[other]) <= 1
        for first, second in combinations(orders, 2):
            if first.client == second.client and all(order.taken < len(order.works) for order in (first, second)):
                assert abs(first.taken - second.taken) <= 1


@given(Mix, st.integers(0, 20), st.integers(0, 7))
def test_each_work_is_taken_once_in_its_order_and_none_of_what_was_dropped(
    mix: Sequence[tuple[str, int]], taken: int, at: int
) -> None:
    lanes, orders = lanes_with(mix)
    jobs = [job for _ in range(taken) if (job := lanes.take())]
    dropped = orders[at % len(orders)]
    left = dropped.taken
    lanes.drop(dropped)
    lanes.drop(dropped)
    while job := lanes.take():
        jobs.append(job)
    for order in orders:
        numbers = [number for mine, number in jobs if mine is order]
        assert numbers == list(range(left if order is dropped else len(order.works)))
    assert lanes.waiting == 0


def test_what_waits_is_counted() -> None:
    lanes, orders = lanes_with([("a", 3), ("b", 2)])
    lanes.take()
    assert lanes.waiting == 4
    lanes.drop(orders[0])
    assert lanes.waiting == 2
    assert lanes.clear() == [orders[1]]
    assert (lanes.waiting, lanes.take()) == (0, None)
