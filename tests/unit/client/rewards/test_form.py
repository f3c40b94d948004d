"""Rewards computed by hand."""

from typing import Any

import pytest

from services.client import RewardForm
from services.client.rewards.form import outcome
from services.contracts import Aggregate, AggregateForm, ScoreReply, Verdict

REPLY = ScoreReply(
    model="prm", steps=[], tokens=1, aggregate=Aggregate(mean=0.5, min=0.2, product=0.1, last=0.8, softmin=0.25)
)


@pytest.mark.parametrize(("form", "value"), [("mean", 0.5), ("min", 0.2), ("product", 0.1), ("last", 0.8)])
def test_the_process_reward_is_the_aggregate(form: str, value: float) -> None:
    assert RewardForm(aggregate=AggregateForm(form)).process(REPLY) == value


@pytest.mark.parametrize(
    ("kind", "process", "outcome", "reward"),
    [
        ("process", 0.4, None, 0.4),
        ("process", None, None, None),
        ("outcome", None, 1.0, 1.0),
        ("process+outcome", 0.4, 1.0, 0.55),
        ("process+outcome", 0.4, None, None),
        ("process+outcome", None, 1.0, None),
    ],
)
def test_a_mix_needs_all_its_parts(kind: Any, process: float | None, outcome: float | None, reward: object) -> None:
    mixed = RewardForm(kind, outcome_weight=0.25).mix(process, outcome)
    assert mixed == (None if reward is None else pytest.approx(reward))


def test_a_failure_of_ours_is_no_outcome() -> None:
    verdicts = {verdict: outcome(verdict) for verdict in Verdict}
    assert verdicts.pop(Verdict.INTERNAL_ERROR) is None
    assert verdicts.pop(Verdict.ACCEPTED) == 1.0
    assert set(verdicts.values()) == {0.0}
    assert outcome(None) is None


@pytest.mark.parametrize(("code", "has"), [("x = 1", True), ("# x", False), ("", False), ("\n\n", False)])
def test_only_code_is_worth_a_question(code: str, has: bool) -> None:
    assert RewardForm().has_step(code) is has


@pytest.mark.parametrize("wrong", [{"kind": "proces"}, {"aggregate": "median"}, {"outcome_weight": 1.5}])
def test_a_form_that_there_is_not_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not"):
        RewardForm(**wrong)
