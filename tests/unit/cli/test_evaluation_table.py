"""An evaluation as people see it: shares with intervals, picks, and what belongs beside them."""

from rich.console import Console

from services.cli.evaluation_table import evaluation_table
from services.contracts import Verdict
from trainer.evaluate import summarise
from trainer.problems import load_problems
from trainer.samples import Kind, Sample


def shown(spec: str, *outcomes: tuple[Kind, bool]) -> str:
    problems = load_problems(spec)
    samples = [
        Sample(
            task_id=problem.id,
            kind=kind,
            completion=f"x = {at}\n",
            verdict=Verdict.ACCEPTED if passed and at < 4 else Verdict.WRONG_ANSWER,
        )
        for at, problem in enumerate(problems)
        for kind, passed in outcomes
    ]
    console = Console(width=200)
    with console.capture() as capture:
        console.print(evaluation_table(summarise(samples, (1, 2, 5), problems, 3.0)))
    return " ".join(capture.get().split())


def test_every_share_has_its_interval_and_the_note_stands_below() -> None:
    text = shown("mbpp:1-8", ("greedy", True), ("sampled", True), ("sampled", False))
    assert "pass@1, greedy │ 0.500 │ 0.125 to 0.875" in text
    assert "pass@1 │ 0.250 │ 0.062 to 0.438" in text
    assert "pass@2 │ 0.500 │" in text and "pass@5" not in text
    assert "16 wrong answer, 8 accepted" in text
    assert "any │ 8 │ 0.500" in text
    assert text.endswith("400 of its 500 ids are PPO's (101-500).")


def test_one_sample_a_problem_leaves_nothing_to_pick() -> None:
    assert "Best of n" not in shown("humaneval:0-2", ("given", True))
