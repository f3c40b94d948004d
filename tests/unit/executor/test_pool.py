"""The queue is bounded and fair, a failed sandbox is replaced, and nobody waits for what nobody wants."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from services.contracts import ExecuteReply, Verdict
from services.executor.metrics import ExecutorMetrics
from services.executor.order import IsAbandoned, Work
from services.executor.pool import Pool
from services.executor.sandbox import SandboxError
from services.executor.tasks import Task
from services.executor.worker import Done, Worker
from services.kit.errors import DeadlineError, OverloadedError, TooLargeError, UnavailableError


class Room:
    """A worker that does nothing: the pool never looks inside."""

    isolation = "none"

    def __init__(self, number: int) -> None:
        self.number = number
        self.closed = False

    def do(self, task: Task, is_abandoned: Callable[[], bool]) -> Done:
        raise NotImplementedError

    def close(self) -> None:
        self.closed = True


class Rooms:
    def __init__(self) -> None:
        self.made: list[Room] = []
        self.broken = False

    def __call__(self, number: int) -> Room:
        if self.broken:
            raise SandboxError("no room")
        self.made.append(Room(number))
        return self.made[-1]


@pytest.fixture
def rooms() -> Rooms:
    return Rooms()


@pytest.fixture
def pool(rooms: Rooms) -> Iterator[Pool]:
    made = Pool(rooms, workers=1, queue_size=4, metrics=ExecutorMetrics(CollectorRegistry()))
    yield made
    made.close()


def reply(passed: int = 0) -> ExecuteReply:
    return ExecuteReply(verdict=Verdict.ACCEPTED, passed=passed, total=0, wall_s=0, isolation="none", tests=[])


def noting(log: list[str], name: str) -> Work:
    def work(worker: Worker, is_abandoned: IsAbandoned) -> ExecuteReply:
        log.append(name)
        return reply()

    return work


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Gate:
    """Work that goes on only when it is let."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.open = threading.Event()
        self.was_abandoned = False

    def __call__(self, worker: Worker, is_abandoned: IsAbandoned) -> ExecuteReply:
        self.entered.set()
        assert self.open.wait(10)
        self.was_abandoned = is_abandoned()
        return reply()

    async def occupy(self, pool: Pool) -> "asyncio.Task[list[Any]]":
        task = asyncio.create_task(pool.run([self]))
        assert await asyncio.to_thread(self.entered.wait, 10)
        return task


async def test_results_come_in_order(pool: Pool) -> None:
    works: list[Work] = [lambda worker, _, number=number: reply(number) for number in range(4)]  # type: ignore[misc]
    replies = await pool.run(works)
    assert [each.passed for each in replies if isinstance(each, ExecuteReply)] == [0, 1, 2, 3]


async def test_a_full_queue_refuses_and_a_batch_beyond_it_is_too_large(pool: Pool) -> None:
    gate = Gate()
    first = await gate.occupy(pool)
    waiting = asyncio.create_task(pool.run([noting([], "x")] * 4))
    await asyncio.sleep(0)
    with pytest.raises(OverloadedError):
        await pool.run([noting([], "x")])
    with pytest.raises(TooLargeError):
        await pool.run([noting([], "x")] * 5)
    assert isinstance(pool.refusal(), OverloadedError)
    gate.open.set()
    await asyncio.gather(first, waiting)
    assert pool.refusal() is None


async def test_a_long_batch_does_not_hold_up_a_single_program(pool: Pool) -> None:
    gate, log = Gate(), list[str]()
    first = await gate.occupy(pool)
    batch = asyncio.create_task(pool.run([noting(log, "batch")] * 3))
    await asyncio.sleep(0)
    single = asyncio.create_task(pool.run([noting(log, "single")]))
    await asyncio.sleep(0)
    gate.open.set()
    await asyncio.gather(first, batch, single)
    assert log == ["batch", "single", "batch", "batch"]


async def test_clients_take_turns_however_many_requests_each_has(pool: Pool) -> None:
    gate, log = Gate(), list[str]()
    first = await gate.occupy(pool)
    tasks = [asyncio.create_task(pool.run([noting(log, name)], client="many")) for name in ("m1", "m2", "m3")]
    await asyncio.sleep(0)
    tasks.append(asyncio.create_task(pool.run([noting(log, "few")], client="few")))
    await asyncio.sleep(0)
    gate.open.set()
    await asyncio.gather(first, *tasks)
    assert log == ["m1", "few", "m2", "m3"]


async def test_a_clients_own_requests_take_turns_within_its_share(rooms: Rooms) -> None:
    pool = Pool(rooms, workers=1, queue_size=20, metrics=ExecutorMetrics(CollectorRegistry()))
    gate, log = Gate(), list[str]()
    first = await gate.occupy(pool)
    tasks = []
    for client, name, works in (("a", "a1", 3), ("a", "a2", 2), ("b", "b1", 3)):
        tasks.append(asyncio.create_task(pool.run([noting(log, name)] * works, client=client)))
        await asyncio.sleep(0)
    gate.open.set()
    await asyncio.gather(first, *tasks)
    await asyncio.to_thread(pool.close)
    assert log == ["a1", "b1", "a2", "b1", "a1", "b1", "a2", "a1"]


async def test_what_waits_at_its_deadline_is_dropped_and_what_runs_is_told(pool: Pool) -> None:
    gate, log = Gate(), list[str]()
    with pytest.raises(DeadlineError) as refused:
        await pool.run([gate, noting(log, "late")], deadline=time.monotonic() + 0.05)
    assert refused.value.code == "deadline_passed"
    gate.open.set()
    await pool.run([noting(log, "next")])
    assert log == ["next"]
    assert gate.was_abandoned


async def test_a_deadline_that_passed_in_the_last_moment_is_still_a_deadline(pool: Pool) -> None:
    def slow(worker: Worker, is_abandoned: IsAbandoned) -> ExecuteReply:
        time.sleep(0.05)
        return reply()

    task = asyncio.create_task(pool.run([slow], deadline=time.monotonic() + 0.02))
    asyncio.get_running_loop().call_soon(time.sleep, 0.2)  # the result and the deadline wait for the loop together
    with pytest.raises(DeadlineError):
        await task


async def test_what_is_not_begun_in_time_is_refused_and_what_is_begun_goes_on(pool: Pool) -> None:
    gate, log = Gate(), list[str]()
    begun = asyncio.create_task(pool.run([gate], start_by=time.monotonic() + 0.1))
    assert await asyncio.to_thread(gate.entered.wait, 10)
    with pytest.raises(DeadlineError) as refused:
        await pool.run([noting(log, "late")], start_by=time.monotonic() + 0.1)
    assert refused.value.code == "queue_wait"
    await asyncio.sleep(0.1)
    gate.open.set()
    assert await begun == [reply()]
    assert log == []


async def test_what_a_caller_gave_up_makes_room_at_once(pool: Pool) -> None:
    gate = Gate()
    first = await gate.occupy(pool)
    waiting = asyncio.create_task(pool.run([noting([], "x")] * 4))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    again = asyncio.create_task(pool.run([noting([], "y")] * 4))
    gate.open.set()
    await asyncio.gather(first, again)


async def test_what_a_cancelled_caller_left_waiting_is_not_run(pool: Pool) -> None:
    gate, log = Gate(), list[str]()
    first = await gate.occupy(pool)
    batch = asyncio.create_task(pool.run([noting(log, "unwanted")] * 3))
    await asyncio.sleep(0)
    batch.cancel()
    first.cancel()
    await asyncio.gather(first, batch, return_exceptions=True)
    gate.open.set()
    await pool.run([noting(log, "wanted")])
    assert log == ["wanted"]
    assert gate.was_abandoned


async def test_a_failed_sandbox_is_replaced_and_its_program_runs_again(pool: Pool, rooms: Rooms) -> None:
    def fails_in_the_first(worker: Worker, is_abandoned: IsAbandoned) -> ExecuteReply:
        if worker is rooms.made[0]:
            raise SandboxError("died")
        return reply(1)

    [found] = await pool.run([fails_in_the_first])
    assert isinstance(found, ExecuteReply)
    assert rooms.made[0].closed
    assert len(rooms.made) == 2


async def test_a_program_that_fails_two_sandboxes_spoils_no_other(pool: Pool) -> None:
    def fails(worker: Worker, is_abandoned: IsAbandoned) -> ExecuteReply:
        raise SandboxError("died")

    found = await pool.run([noting([], "x"), fails, noting([], "y")])
    assert [isinstance(each, SandboxError) for each in found] == [False, True, False]


async def test_a_sandbox_that_cannot_be_replaced_is_tried_again_until_it_can(pool: Pool, rooms: Rooms) -> None:
    def fails(worker: Worker, is_abandoned: IsAbandoned) -> ExecuteReply:
        raise SandboxError("died")

    rooms.broken = True
    [found] = await pool.run([fails])
    assert isinstance(found, SandboxError)
    assert not pool.able
    with pytest.raises(UnavailableError) as refused:
        await pool.run([noting([], "x")])
    assert refused.value.code == "no_sandbox"
    rooms.broken = False
    await asyncio.to_thread(wait_for, lambda: pool.able)
    assert await pool.run([lambda worker, _: reply(1)]) == [reply(1)]
    assert not rooms.made[-1].closed


async def test_one_worker_without_a_sandbox_leaves_the_queue_to_the_others(rooms: Rooms) -> None:
    pool = Pool(rooms, workers=2, queue_size=20, metrics=ExecutorMetrics(CollectorRegistry()))
    gate = Gate()
    held = await gate.occupy(pool)

    def fails(worker: Worker, is_abandoned: IsAbandoned) -> ExecuteReply:
        rooms.broken = True
        raise SandboxError("died")

    [found] = await pool.run([fails])
    assert isinstance(found, SandboxError)
    assert pool.able
    gate.open.set()
    assert await pool.run([lambda worker, _: reply()] * 10) == [reply()] * 10
    await held
    await asyncio.to_thread(pool.close)


async def test_draining_refuses_what_waits_and_lets_what_runs_end(pool: Pool) -> None:
    gate = Gate()
    running = await gate.occupy(pool)
    waiting = asyncio.create_task(pool.run([noting([], "x")]))
    await asyncio.sleep(0)
    pool.refuse()
    for refused in (waiting, pool.run([noting([], "y")])):
        with pytest.raises(UnavailableError) as error:
            await refused
        assert error.value.code == "draining"
    gate.open.set()
    assert await running == [reply()]


async def test_a_crash_of_ours_reaches_the_caller_and_leaves_the_worker_alive(pool: Pool) -> None:
    def crashes(worker: Worker, is_abandoned: IsAbandoned) -> ExecuteReply:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await pool.run([crashes])
    assert await pool.run([lambda worker, _: reply()]) == [reply()]


async def test_closing_refuses_what_waits_and_what_comes(rooms: Rooms) -> None:
    pool = Pool(rooms, workers=1, queue_size=4, metrics=ExecutorMetrics(CollectorRegistry()))
    gate = Gate()
    first = await gate.occupy(pool)
    waiting = asyncio.create_task(pool.run([noting([], "x")]))
    await asyncio.sleep(0)
    closing = asyncio.create_task(asyncio.to_thread(pool.close))
    with pytest.raises(UnavailableError):
        await waiting
    gate.open.set()
    await asyncio.gather(first, closing)
    with pytest.raises(UnavailableError):
        await pool.run([noting([], "x")])
    assert all(room.closed for room in rooms.made)


def test_a_sandbox_that_does_not_start_ends_those_that_did() -> None:
    rooms = Rooms()

    def second_fails(number: int) -> Worker:
        if number == 1:
            raise SandboxError("no")
        return rooms(number)

    with pytest.raises(SandboxError):
        Pool(second_fails, workers=2, queue_size=1, metrics=ExecutorMetrics(CollectorRegistry()))
    assert rooms.made[0].closed
