"""Budgets and the learning rate's factor."""

import pytest

from trainer.budget import Budget, rate_factor


def test_whichever_limit_comes_first_ends_the_run() -> None:
    by_iterations = Budget(4, None)
    by_iterations.done = 3
    assert (by_iterations.fraction, by_iterations.exhausted) == (0.75, False)
    by_iterations.done = 4
    assert by_iterations.exhausted
    assert Budget(4, minutes=1, spent_s=61).exhausted
    assert Budget(4, minutes=1, spent_s=30).fraction == pytest.approx(0.5, abs=0.01)


def test_no_limit_never_ends_and_no_iteration_ends_at_once() -> None:
    assert Budget(None, None, done=10**6).fraction == 0
    assert Budget(0, None).exhausted
    assert Budget(None, 0.0).exhausted


def test_the_rate_rises_stays_and_falls_to_a_tenth() -> None:
    factors = [rate_factor(done, done / 100, warmup=10, decay=0.5) for done in (0, 4, 9, 50, 75, 100)]
    assert factors == pytest.approx([0.1, 0.5, 1.0, 1.0, 0.55, 0.1])
    assert rate_factor(0, 0.0, warmup=0, decay=0.0) == rate_factor(99, 1.0, warmup=0, decay=0.0) == 1.0
