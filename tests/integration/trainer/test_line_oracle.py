"""The oracle of single lines against the real executor."""

from collections.abc import Callable

import pytest
from fastapi import FastAPI

from services.contracts import CallTest, Problem, Verdict
from services.executor.app import create_app
from services.executor.settings import ExecutorSettings
from trainer.experiments.line_oracle import LineOracleRewards
from trainer.judging import Program

SOLUTION = "def f(xs):\n    xs = [x + 1 for x in xs]\n    xs = xs[:2]\n    return sum(xs)\n"
PROBLEM = Problem(
    id="lists/1",
    prompt="Add 1 to every number, keep the first 2 numbers, return the sum.",
    solution=SOLUTION,
    tests=[CallTest(function="f", args=[xs], expected=sum(x + 1 for x in xs[:2])) for xs in ([3, 1, 2], [], [-1, 7])],
)
PROGRAMS = {
    "the solution": (SOLUTION, [1, 1, 1, 1]),
    "another way, that passes": ("def f(xs):\n    return sum(x + 1 for x in xs[:2])\n", [1, 1]),
    "right behind a wrong line": (SOLUTION.replace("x + 1", "x - 1"), [1, 0, 1, 1]),
    "a comment between": (SOLUTION.replace("    xs = xs[:2]", "    # some\n    xs = xs[:1]"), [1, 1, 0, 1]),
    "too many lines": (SOLUTION + "    return 0\n" * 2 + "f(", [1, 1, 1, 1, 0, 0, 0]),
    "too few": ("def f(xs):\n    xs = [x + 1 for x in xs]\n", [1, 1]),
}


def test_each_line_is_told_by_itself(serve: Callable[[FastAPI], str]) -> None:
    with LineOracleRewards(executor_url=serve(create_app(ExecutorSettings(workers=2)))) as oracle:
        judged = oracle.judge([Program(PROBLEM, code) for code, _ in PROGRAMS.values()]).result()
    for (name, (code, scores)), judgement in zip(PROGRAMS.items(), judged, strict=True):
        assert [step.score for step in judgement.steps] == scores, name
        assert judgement.steps[-1].end == len(code.rstrip()), name
    assert [each.verdict is Verdict.ACCEPTED for each in judged] == [True, True, False, False, False, False]


def test_without_a_verdict_or_a_solution_there_is_no_judgement(serve: Callable[[FastAPI], str]) -> None:
    with LineOracleRewards(executor_url="http://127.0.0.1:9", timeout_s=0.5) as oracle:
        assert oracle.judge([Program(PROBLEM, SOLUTION)]).result() == [None]
    unsolved = PROBLEM.model_copy(update={"solution": None})
    with (
        LineOracleRewards(executor_url=serve(create_app(ExecutorSettings(workers=1)))) as oracle,
        pytest.raises(ValueError, match="solution"),
    ):
        oracle.judge([Program(unsolved, SOLUTION)]).result()
