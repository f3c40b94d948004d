import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.contracts.prm_layout import PrmInput
from services.scorer.batcher import Batcher, Wanted
from services.scorer.metrics import ScorerMetrics
from services.scorer.prm import ServedModel

WAIT_S = 0.05
Served = Callable[..., ServedModel]


@pytest.fixture
def batcher(metrics: ScorerMetrics) -> Iterator[Batcher]:
    batcher = Batcher(max_wait_s=WAIT_S, metrics=metrics)
    batcher.start()
    yield batcher
    batcher.close()


class Asked:
    """An input, and the future of its scores."""

    def __init__(self, model: ServedModel, item: PrmInput) -> None:
        self.wanted = Wanted(model, item, self._end)
        self.scores: Future[list[float]] = Future()

    def _end(self) -> None:
        if self.wanted.error is not None:
            self.scores.set_exception(self.wanted.error)
        else:
            assert self.wanted.scores is not None
            self.scores.set_result(list(self.wanted.scores))


def submit(batcher: Batcher, model: ServedModel, item: PrmInput) -> "Future[list[float]]":
    asked = Asked(model, item)
    batcher.submit([asked.wanted])
    return asked.scores


def text(length: int, share: float = 1.0) -> PrmInput:
    """`length` characters of which the first `share` are x, scored at the last."""
    letters = round(length * share)
    return PrmInput([ord("x")] * letters + [ord("-")] * (length - letters), [length - 1])


def test_each_input_gets_its_own_scores(batcher: Batcher, prm: Any, served: Served) -> None:
    model = served(prm)
    futures = [submit(batcher, model, text(10, tenths / 10)) for tenths in range(10)]
    assert [future.result(5) for future in futures] == [[tenths / 10] for tenths in range(10)]


def test_inputs_that_wait_together_share_a_pass(batcher: Batcher, prm: Any, served: Served) -> None:
    model = served(prm)
    for future in [submit(batcher, model, text(10)) for _ in range(5)]:
        future.result(5)
    assert prm.passes == [[10] * 5]


def test_a_pass_holds_the_oldest_input_and_those_near_it_in_length(batcher: Batcher, prm: Any, served: Served) -> None:
    model = served(prm)
    for future in [submit(batcher, model, text(length)) for length in (5, 40, 5, 40)]:
        future.result(5)
    assert prm.passes == [[5, 5], [40, 40]]


def test_no_pass_is_larger_than_its_models_token_budget(batcher: Batcher, prm: Any, served: Served) -> None:
    prm.pass_tokens = 100
    model = served(prm)
    for future in [submit(batcher, model, text(30)) for _ in range(7)]:
        future.result(5)
    assert sorted(map(len, prm.passes)) == [1, 3, 3]


def test_a_lone_input_needs_no_company_to_be_scored(batcher: Batcher, prm: Any, served: Served) -> None:
    assert submit(batcher, served(prm), text(10)).result(5) == [1.0]
    assert prm.passes == [[10]]


def test_a_full_budget_is_not_held_at_all(metrics: ScorerMetrics, prm: Any, served: Served) -> None:
    prm.pass_tokens = 20
    batcher = Batcher(max_wait_s=30, metrics=metrics)
    batcher.start()
    model = served(prm)
    for future in [submit(batcher, model, text(10)) for _ in range(2)]:
        future.result(5)
    batcher.close()


def test_two_models_never_share_a_pass(batcher: Batcher, prm: Any, another_prm: Any, served: Served) -> None:
    other = another_prm()
    other.gate.set()
    one, two = served(prm, "one"), served(other, "two")
    for future in [submit(batcher, model, text(10)) for model in (one, two, one)]:
        future.result(5)
    assert (prm.passes, other.passes) == ([[10, 10]], [[10]])


def test_a_failing_pass_fails_its_inputs_and_the_next_one_runs(batcher: Batcher, prm: Any, served: Served) -> None:
    model = served(prm)
    prm.error = RuntimeError("out of memory")
    with pytest.raises(RuntimeError, match="out of memory"):
        submit(batcher, model, text(10)).result(5)
    prm.error = None
    assert submit(batcher, model, text(10)).result(5) == [1.0]


def test_an_input_that_is_withdrawn_is_never_scored(batcher: Batcher, another_prm: Any, served: Served) -> None:
    prm = another_prm()
    model = served(prm)
    first, withdrawn, kept = Asked(model, text(10)), Asked(model, text(20)), Asked(model, text(20))
    batcher.submit([first.wanted])
    assert prm.entered.wait(5)
    batcher.submit([withdrawn.wanted, kept.wanted])
    assert batcher.withdraw(withdrawn.wanted)
    assert not batcher.withdraw(first.wanted)
    prm.gate.set()
    assert (first.scores.result(5), kept.scores.result(5)) == ([1.0], [1.0])
    assert prm.passes == [[10], [20]]


@dataclass
class Lanes:
    """A batcher over four threads that notes how many each pass takes; passes end when the PRM's gate opens."""

    batcher: Batcher
    taken: list[int]

    def wait_for(self, passes: int) -> list[int]:
        while len(self.taken) < passes:
            time.sleep(0.001)
        return self.taken


@pytest.fixture
def lanes(metrics: ScorerMetrics) -> Iterator[Lanes]:
    taken: list[int] = []
    batcher = Batcher(metrics=metrics, threads=4, use_threads=taken.append)
    batcher.start()
    yield Lanes(batcher, taken)
    batcher.close()


@pytest.mark.parametrize(("parameters", "threads"), [(1000, 1), (2 * 10**8, 2), (10**9, 4)])
def test_a_pass_without_company_takes_the_threads_that_its_work_is_worth(
    parameters: int, threads: int, lanes: Lanes, prm: Any, served: Served
) -> None:
    prm.parameters = parameters
    model = served(prm)
    for number in (1, 2):
        assert submit(lanes.batcher, model, text(10)).result(5) == [1.0]
        assert lanes.wait_for(number) == [threads] * number


def test_what_waits_together_is_scored_side_by_side(lanes: Lanes, another_prm: Any, served: Served) -> None:
    prm = another_prm()
    prm.parameters = 10**9
    model = served(prm)
    asked = [Asked(model, text(10)) for _ in range(8)]
    lanes.batcher.submit([one.wanted for one in asked])
    assert lanes.wait_for(4) == [1, 1, 1, 1]
    prm.gate.set()
    assert [one.scores.result(5) for one in asked] == [[1.0]] * 8


def test_a_thread_leaves_some_of_what_waits_to_those_that_are_busy(
    lanes: Lanes, another_prm: Any, served: Served
) -> None:
    prm = another_prm()
    model = served(prm)
    busy = [submit(lanes.batcher, model, text(length)) for length in (90, 60, 40)]
    lanes.wait_for(3)
    asked = [Asked(model, text(10)) for _ in range(8)]
    lanes.batcher.submit([one.wanted for one in asked])
    lanes.wait_for(4)
    prm.gate.set()
    assert [one.result(5) for one in (*busy, *(it.scores for it in asked))] == [[1.0]] * 11
    assert max(map(len, prm.passes)) == 2


def test_threads_are_shared_out_and_the_next_input_waits_for_one(
    lanes: Lanes, another_prm: Any, served: Served
) -> None:
    prm = another_prm()
    prm.parameters = 10**9
    model = served(prm)
    lanes.batcher.submit([Asked(model, text(length)).wanted for length in (90, 40)])
    assert sorted(lanes.wait_for(2)) == [2, 2]
    late = submit(lanes.batcher, model, text(20))
    time.sleep(0.05)
    assert len(lanes.taken) == 2
    prm.gate.set()
    assert late.result(5) == [1.0]


def test_closing_scores_what_waits_and_takes_no_more(metrics: ScorerMetrics, prm: Any, served: Served) -> None:
    batcher = Batcher(max_wait_s=30, metrics=metrics)
    batcher.start()
    waiting = submit(batcher, served(prm), text(10))
    batcher.close()
    assert waiting.result(0) == [1.0]
    with pytest.raises(RuntimeError, match="closed"):
        submit(batcher, served(prm), text(10))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lengths=st.lists(st.integers(1, 130), min_size=1, max_size=40))
def test_every_pass_has_the_oldest_input_keeps_the_budget_and_wastes_little(
    lengths: list[int], another_prm: Callable[[], Any], metrics: ScorerMetrics, served: Served
) -> None:
    prm = another_prm()
    prm.pass_tokens = 100
    model = served(prm)
    batcher = Batcher(max_wait_s=0, metrics=metrics)
    for number, length in enumerate(lengths):
        submit(batcher, model, PrmInput([number] * length, [length - 1]))
    prm.gate.set()
    batcher.start()
    batcher.close()
    waiting = list(range(len(lengths)))
    for passed in prm.inputs:
        widths = [len(item.ids) for item in passed]
        padded = max(widths) * len(widths)
        assert padded <= 100 or len(widths) == 1
        assert padded - sum(widths) <= 0.1 * padded
        numbers = [item.ids[0] for item in passed]
        assert waiting[0] in numbers
        waiting = [number for number in waiting if number not in numbers]
    assert waiting == []
