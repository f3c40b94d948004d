"""Picking one of n: every rule on samples whose best is known."""

import pytest

from services.contracts import AggregateForm, Verdict
from services.scorer.replies import aggregate
from trainer.best_of_n import Pick, aggregated, picks
from trainer.samples import Sample


def sample(task: str, passed: bool, scores: list[float] | None = None, **more: object) -> Sample:
    verdict = Verdict.ACCEPTED if passed else Verdict.WRONG_ANSWER
    spans = None if scores is None else list(enumerate(scores, start=1))
    fields = {"kind": "sampled", "completion": "x", "verdict": verdict, "scores": spans, **more}
    return Sample.model_validate({"task_id": task, **fields})


def row(samples: list[Sample], rule: str) -> Pick:
    return {pick.rule: pick for pick in picks(samples)}[rule]


TWO_TASKS = [
    sample("a", True, [0.9, 0.6], completion="long program", tokens=4, logprob=-8.0),
    sample("a", False, [1.0, 0.1], completion="short", tokens=2, logprob=-1.0),
    sample("b", False, [0.4, 0.4], completion="longest program", tokens=4, logprob=-4.0),
    sample("b", False, [0.3, 0.5], completion="short", tokens=2, logprob=-4.0),
]


@pytest.mark.parametrize(
    ("rule", "share"),
    [
        ("random", 0.25),
        ("any", 0.5),
        ("PRM, mean", 0.5),
        ("PRM, min", 0.5),
        ("PRM, last", 0.5),
        ("longest", 0.5),
        ("shortest", 0.0),
        ("likeliest", 0.0),
    ],
)
def test_each_rule_picks_by_its_own_measure(rule: str, share: float) -> None:
    found = row(TWO_TASKS, rule)
    assert (found.problems, found.share) == (2, share)
    assert found.gain == pytest.approx(share - 0.25)


def test_programs_that_a_rule_cannot_tell_apart_count_by_their_share() -> None:
    tied = [sample("a", True, [0.5]), sample("a", False, [0.5]), sample("a", False, [0.1])]
    assert row(tied, "PRM, mean").share == 0.5


def test_rules_that_lack_what_they_ask_for_have_no_row() -> None:
    without = [sample("a", True), sample("a", False)]
    assert {pick.rule for pick in picks(without)} == {"random", "any", "longest", "shortest"}
    half = [*without, *(each.model_copy(update={"task_id": "b"}) for each in TWO_TASKS[:2])]
    assert row(half, "PRM, min").problems == 1
    assert row(half, "random").problems == 2


def test_a_program_without_a_code_step_is_the_prms_last_choice() -> None:
    assert row([sample("a", False, []), sample("a", True, [0.01])], "PRM, mean").share == 1.0


def test_greedy_programs_single_ones_and_those_without_a_verdict_are_no_choice() -> None:
    assert picks([sample("a", True), sample("a", True, kind="greedy")]) == []
    assert picks([sample("a", True), sample("a", True, verdict=None)]) == []


def test_a_gain_has_the_interval_of_paired_differences() -> None:
    samples = [each.model_copy(update={"task_id": f"{task}"}) for task in range(40) for each in TWO_TASKS[:2]]
    found = row(samples, "PRM, mean")
    assert found.interval == (1.0, 1.0)
    assert found.gain_interval == (0.5, 0.5)


@pytest.mark.parametrize("form", list(AggregateForm))
def test_aggregates_are_the_scorers(form: AggregateForm) -> None:
    scores = [0.9, 0.2, 0.7]
    assert aggregated(form, scores) == pytest.approx(getattr(aggregate(scores, 0.1), form))
