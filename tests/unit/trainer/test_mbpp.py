"""MBPP and HumanEval as they ship: unchanged files, normalised programs, every reference right."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

import trainer.problems.humaneval
import trainer.problems.mbpp
from services.contracts import AssertTest, Problem
from trainer.problems import load_problems


def run(problem: Problem) -> None:
    """Code, setup, tests, in this order; the program is trusted, and its own."""
    scope: dict[str, Any] = {"__name__": "program"}
    exec(problem.solution, scope)
    exec(problem.setup, scope)
    for test in problem.tests:
        assert isinstance(test, AssertTest)
        exec(test.code, scope)


@pytest.mark.parametrize("file", [trainer.problems.mbpp.FILE, trainer.problems.humaneval.FILE])
def test_the_readme_has_the_files_hash(file: Path) -> None:
    readme = (file.parent / "README.md").read_text(encoding="utf-8")
    assert hashlib.sha256(file.read_bytes()).hexdigest() in readme


def test_mbpp_is_whole_and_has_no_carriage_return() -> None:
    problems = load_problems("mbpp")
    assert [problem.id for problem in problems] == [f"Mbpp/{number}" for number in range(1, 975)]
    assert not any("\r" in problem.model_dump_json() or "\\r" in problem.solution for problem in problems)
    assert {problem.id for problem in problems if problem.setup} == {"Mbpp/367", "Mbpp/927"}
    assert all(len(problem.tests) >= 3 for problem in problems)


@pytest.mark.filterwarnings("ignore::SyntaxWarning", "ignore::DeprecationWarning")  # `is` with a literal, odd escapes
def test_every_mbpp_reference_compiles() -> None:
    for problem in load_problems("mbpp"):
        compile(problem.solution, problem.id, "exec")


@pytest.mark.parametrize("number", [1, 129, 367, 601, 604, 927, 974])
def test_mbpp_references_pass_their_tests(number: int) -> None:
    run(load_problems(f"mbpp:{number}")[0])


def test_the_prompt_tells_the_functions_name_by_its_first_assert() -> None:
    shown = load_problems("mbpp:602")[0]
    assert shown.prompt.splitlines()[1] == 'assert first_repeated_char("abcabc") == "a"'
    assert len(load_problems("mbpp:602?shown=3")[0].prompt.splitlines()) == 4
    assert "assert" not in load_problems("mbpp:602?shown=0")[0].prompt


@pytest.mark.parametrize("number", [0, 1, 38, 163])
def test_humaneval_references_pass_their_check(number: int) -> None:
    problem = load_problems(f"humaneval:{number}")[0]
    assert problem.solution.startswith(problem.prompt)
    run(problem)


def test_a_wrong_completion_fails_humanevals_check() -> None:
    problem = load_problems("humaneval:0")[0]
    with pytest.raises(AssertionError):
        run(problem.model_copy(update={"solution": problem.prompt + "    return None\n"}))
