"""Every form of reward, against numbers worked out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts import Verdict
from trainer.rewards import Judgement, ProgramReward, RewardForm, StepScore, outcome_reward, program_reward

SCORES = (0.8, 0.2, 0.5, 0.2)
JUDGED = Judgement(tuple(StepScore(end, score) for end, score in enumerate(SCORES, 1)), Verdict.ACCEPTED, 1.0)
FAILED = Judgement(JUDGED.steps, Verdict.RUNTIME_ERROR, 0.5)
FORMS = ("sum", "mean", "min", "softmin", "delta", "clip")


def rewards(judgement: Judgement, form: RewardForm, **about: int) -> list[float]:
    return [step.score for step in program_reward(judgement, form, **about).steps]


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("sum", [0.8, 0.2, 0.5, 0.2]),
        ("mean", [0.2, 0.05, 0.125, 0.05]),
        ("min", [0.0, 0.2, 0.0, 0.0]),
        ("delta", [0.8, -0.6, 0.3, -0.3]),
        ("clip", [0.0, -0.3, 0.0, -0.3]),
    ],
)
def test_process_forms_by_hand(form: str, expected: list[float]) -> None:
    assert rewards(JUDGED, RewardForm("process", form)) == pytest.approx(expected)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_no_form_but_the_sum_is_raised_by_repeating_the_last_step(scores: list[float]) -> None:
    def total(scores: list[float], form: str) -> float:
        judgement = Judgement(tuple(StepScore(end, score) for end, score in enumerate(scores, 1)))
        return program_reward(judgement, RewardForm("process", form)).total

    padded = [*scores, scores[-1]]
    for form in ("min", "delta", "clip"):
        assert total(padded, form) <= total(scores, form) + 1e-9
    assert total(padded, "mean") <= max(scores) + 1e-9
    assert total(padded, "softmin") <= max(scores) + 1e-9


@pytest.mark.parametrize("form", FORMS)
def test_shuffled_steps_earn_the_same_in_another_order_that_the_seed_decides(form: str) -> None:
    plain = rewards(JUDGED, RewardForm("process", form))
    control = RewardForm("process", form, shuffled=True)
    dealt = [rewards(JUDGED, control, seed=seed) for seed in range(9)]
    assert all(sorted(each) == sorted(plain) for each in dealt)
    assert any(each != plain for each in dealt)
    assert dealt[3] == rewards(JUDGED, control, seed=3)


@pytest.mark.parametrize(
    ("verdict", "level"),
    [
        (Verdict.ACCEPTED, 1.0),
        (Verdict.WRONG_ANSWER, -0.3),
        (Verdict.RUNTIME_ERROR, -0.6),
        (Verdict.TIME_LIMIT_EXCEEDED, -0.6),
        (Verdict.COMPILE_ERROR, -1.0),
    ],
)
def test_coderls_levels(verdict: Verdict, level: float) -> None:
    assert outcome_reward(Judgement(None, verdict), "levels") == level


def test_rltfs_pass_ratio_needs_every_test() -> None:
    assert outcome_reward(Judgement(None, Verdict.WRONG_ANSWER, 0.5), "pass_ratio") == pytest.approx(0.35)
    assert outcome_reward(JUDGED, "pass_ratio") == pytest.approx(1.0)
    with pytest.raises(ValueError, match="every test"):
        outcome_reward(Judgement(None, Verdict.WRONG_ANSWER), "pass_ratio")


def test_gated_steps_earn_only_beside_an_accepted_verdict() -> None:
    form = RewardForm("gated", "sum", outcome_weight=0.5)
    assert rewards(JUDGED, form) == pytest.approx([0.4, 0.1, 0.25, 0.1])
    assert program_reward(JUDGED, form).last == 0.5
    assert program_reward(FAILED, form) == ProgramReward((), 0.0)


def test_a_learnt_outcome_is_the_last_steps_score_at_the_last_token() -> None:
    assert program_reward(Judgement(JUDGED.steps), RewardForm("orm")) == ProgramReward((), 0.2)
    assert program_reward(Judgement(()), RewardForm("orm")) == ProgramReward((), 0.0)


def test_length_costs_behind_the_free_tokens() -> None:
    form = RewardForm("outcome", length_penalty=0.01, free_tokens=20)
    assert program_reward(JUDGED, form, tokens=20).last == 1.0
    assert program_reward(JUDGED, form, tokens=50).last == pytest.approx(0.7)
