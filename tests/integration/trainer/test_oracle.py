"""The oracle against the real executor: what it says of right, wrong and differently right programs."""

from collections.abc import Callable

import pytest
from fastapi import FastAPI

from services.contracts import CallTest, Problem
from services.executor.app import create_app
from services.executor.settings import ExecutorSettings
from trainer.experiments.oracle import OracleRewards
from trainer.judging import Program

SOLUTION = "def f(xs):\n    xs = [x + 1 for x in xs]\n    xs = xs[:2]\n    return sum(xs)\n"
INPUTS = ([3, 1, 2], [5, 5, 5, 5], [], [-1, 7])
PROBLEM = Problem(
    id="lists/1",
    prompt="Add 1 to every number, keep the first 2 numbers, return the sum.",
    solution=SOLUTION,
    tests=[CallTest(function="f", args=[xs], expected=sum(x + 1 for x in xs[:2])) for xs in INPUTS],
)
PROGRAMS = {
    "the solution": (SOLUTION, [1 / 4, 1 / 2, 3 / 4, 1]),
    "another order": (
        "def f(xs):\n    xs = xs[:2]\n    xs = [x + 1 for x in xs]\n    return sum(xs)\n",
        [1 / 4, 1 / 2, 3 / 4, 1],
    ),
    "wrong at the second operation": (
        "def f(xs):\n    xs = [x + 1 for x in xs]\n    xs = xs[:1]\n    return sum(xs)\n",
        [0, 1 / 3, 0, 0],
    ),
    "an operation left out": ("def f(xs):\n    xs = [x + 1 for x in xs]\n    return sum(xs)\n", [0, 1 / 3, 0]),
    "a loop, then a wrong end": (
        "def f(xs):\n    ys = []\n    for x in xs:\n        ys.append(x + 1)\n    xs = ys\n    xs = xs[:2]\n"
        "    return len(xs)\n",
        [0, 0, 0, 0, 1 / 3, 2 / 3, 0],
    ),
    "no Python": ("def f(xs):\n    xs = [x +\n    return sum(xs)\n", [0, 0, 0]),
    "an endless loop": ("def f(xs):\n    while True:\n        pass\n    return 0\n", [0, 0, 0, 0]),
}


def test_lines_score_the_share_of_the_way_until_one_leads_elsewhere(serve: Callable[[FastAPI], str]) -> None:
    with OracleRewards(executor_url=serve(create_app(ExecutorSettings(workers=2)))) as oracle:
        judged = oracle.judge([Program(PROBLEM, code) for code, _ in PROGRAMS.values()]).result()
    for (name, (_, scores)), judgement in zip(PROGRAMS.items(), judged, strict=True):
        assert [step.score for step in judgement.steps] == pytest.approx(scores), name


def test_what_nobody_answers_is_no_judgement() -> None:
    with OracleRewards(executor_url="http://127.0.0.1:9", timeout_s=0.5) as oracle:
        assert oracle.judge([Program(PROBLEM, SOLUTION)]).result() == [None]


def test_other_problems_are_refused() -> None:
    foreign = PROBLEM.model_copy(update={"id": "Mbpp/1"})
    with (
        OracleRewards(executor_url="http://127.0.0.1:9", timeout_s=0.5) as oracle,
        pytest.raises(ValueError, match="list"),
    ):
        oracle.judge([Program(foreign, SOLUTION)]).result()
