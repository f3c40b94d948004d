"""Procedural list tasks: right, distinct, deterministic, and never the same composition in two splits."""

from dataclasses import replace
from typing import Any

import pytest

from services.contracts import CallTest, Problem
from trainer.problems import load_problems
from trainer.problems.list_operations import OPERATIONS, REDUCTIONS, SLIPS, Part
from trainer.problems.lists import Applied, generate, render, split_of

INPUTS = [[], [0], [3, 3], [-1, 4, 9, 4, -12, 24], [5, 1, 2, 10, -3, -4, 0, 2, 20]]


def call(solution: str, xs: list[int]) -> Any:
    scope: dict[str, Any] = {}
    exec(solution, scope)
    return scope["f"](list(xs))


def chain(part: Part, k: int) -> list[Applied]:
    """A program that ends in `part`, or that shows the whole list behind it."""
    if part in REDUCTIONS:
        return [Applied(part, k)]
    return [Applied(part, k), Applied(Part("show", (), "tuple(xs)"), 0)]


def sequences(problems: list[Problem]) -> set[tuple[str, ...]]:
    """The names of each program's operations, of programs with one line an operation."""
    names = {
        f"    xs = {Applied(part, k).fill(part.expression)}": part.name for part in OPERATIONS for k in part.parameters
    }
    return {tuple(names[line] for line in problem.solution.splitlines()[1:-1]) for problem in problems}


@pytest.mark.parametrize("part", [part for part in (*OPERATIONS, *REDUCTIONS) if part.loop], ids=lambda part: part.name)
def test_the_loop_does_what_the_expression_does(part: Part) -> None:
    for k in part.parameters:
        plain, looped = render(chain(part, k)), render(chain(part, k), looped=0)
        assert "    for " in looped and "    for " not in plain
        assert [call(plain, xs) for xs in INPUTS] == [call(looped, xs) for xs in INPUTS]


def test_names_and_phrases_are_distinct() -> None:
    parts = [*OPERATIONS, *REDUCTIONS]
    assert len({part.name for part in parts}) == len(parts) == 54
    assert all(len(set(part.phrases)) >= 2 for part in parts)
    assert all(("{k}" in part.expression) == all("{k}" in phrase for phrase in part.phrases) for part in parts)


@pytest.mark.parametrize("part", [*OPERATIONS, *REDUCTIONS], ids=lambda part: part.name)
def test_a_slip_is_a_program_that_does_something_else(part: Part) -> None:
    slip = replace(part, expression=SLIPS[part.name])
    for k in part.parameters:
        right = chain(part, k)
        wrong = [replace(right[0], part=slip), *right[1:]]
        assert any(call(render(right), xs) != call(render(wrong), xs) for xs in (*INPUTS, [*range(-12, 25)]))


def test_slips_are_in_the_solution_alone() -> None:
    clean, slipped = (load_problems(f"lists:train?count=200&slips={percent}") for percent in (0, 30))
    assert [(each.prompt, each.tests) for each in clean] == [(each.prompt, each.tests) for each in slipped]
    differ = sum(a.solution != b.solution for a, b in zip(clean, slipped, strict=True))
    assert 0.55 < differ / len(clean) < 0.85


@pytest.mark.parametrize("operations", ["1-1", "2-3", "5"])
def test_references_pass_their_tests_and_mutate_no_argument(operations: str) -> None:
    for problem in load_problems(f"lists:train?count=150&operations={operations}&loops=60"):
        for test in problem.tests:
            assert isinstance(test, CallTest) and test.args
            before = list(test.args[0])  # type: ignore[arg-type]
            assert call(problem.solution, test.args[0]) == test.expected  # type: ignore[arg-type]
            assert test.args[0] == before


def test_without_any_operation_some_test_fails() -> None:
    for problem in load_problems("lists:validation?count=60&loops=0"):
        lines = problem.solution.splitlines()
        for left_out in range(1, len(lines) - 1):
            shorter = "\n".join(line for at, line in enumerate(lines) if at != left_out)
            assert any(call(shorter, test.args[0]) != test.expected for test in problem.tests)  # type: ignore[union-attr, index, arg-type]


def test_splits_share_no_sequence_of_operations() -> None:
    train, validation, test = (
        sequences(load_problems(f"lists:{split}?count=300&loops=0")) for split in ("train", "validation", "test")
    )
    assert len(train) > 200 and len(validation) > 100 and len(test) > 100
    assert not train & validation and not train & test and not validation & test


def test_the_split_of_a_sequence_never_changes() -> None:
    names = ("train", "validation", "test")
    counts = [sum(split_of([a.name, b.name]) == name for a in OPERATIONS for b in OPERATIONS) for name in names]
    assert counts == [1325, 184, 172]


def test_the_same_spec_gives_the_same_tasks_and_a_larger_count_only_adds() -> None:
    few, many = generate("train", 20, seed=3), generate("train", 40, seed=3)
    assert few == generate("train", 20, seed=3) == many[:20]
    assert few != generate("train", 20, seed=4)
    assert len({problem.id for problem in many}) == 40


def test_the_first_task_of_seed_0_is_known() -> None:
    problem = load_problems("lists:train?count=1")[0]
    assert problem.id == "lists/21026a036dbe"


def test_programs_have_the_length_that_was_asked_for() -> None:
    problems = load_problems("lists:train?count=300")
    lengths = [len(problem.solution.splitlines()) for problem in problems]
    assert min(lengths) == 4 and max(lengths) <= 10
    looped = sum("    for " in problem.solution for problem in problems) / len(problems)
    assert 0.15 < looped < 0.4
