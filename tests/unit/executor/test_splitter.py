"""What the child is told of a test, and what stays with the judge."""

import pytest

from services.contracts import Assurance
from services.executor.splitter import split_assert

SPLIT = [
    ("assert f(1) == 2", ["f(1)"], [2], [3]),
    ("assert 2 == f(1)", ["f(1)"], [2], [3]),
    ("assert f(1) != 2", ["f(1)"], [3], [2]),
    ("assert f(1) is None", ["f(1)"], [None], [0]),
    ("assert f(1) is not None", ["f(1)"], [0], [None]),
    ("assert f(1) in (2, 3)", ["f(1)"], [3], [4]),
    ("assert 3 in f(1)", ["f(1)"], [[3]], [[4]]),
    ("assert 1 < f(1) <= 3", ["f(1)"], [3], [4]),
    ("assert f(1), 'why'", ["f(1)"], [True], [False]),
    ("assert not f(1)", ["f(1)"], [False], [True]),
    ("assert not f(1) == 2", ["f(1)"], [3], [2]),
    ("assert f(1) == 1 and g(2) == 2", ["f(1)", "g(2)"], [1, 2], [1, 3]),
    ("assert sorted(f(1)) == [1, 2]", ["sorted(f(1))"], [[1, 2]], [[2, 1]]),
    ("assert set(f(1)) == set([1, 2])", ["set(f(1))"], [{1, 2}], [{1}]),
    ("assert math.isclose(f(1), 2.0, rel_tol=0.1)", ["f(1)"], [2.1], [3.0]),
    ("assert math.isclose(2.0, f(1))", ["f(1)"], [2.0], [2.1]),
    ("assert abs(f(1) - 2.0) < 1e-6", ["f(1)"], [2.0], [2.1]),
    ("assert abs(2.0 - f(1)) < 1e-6", ["f(1)"], [2.0], [2.1]),
    ("assert round(f(1)) == 2", ["f(1)"], [2.1], [3]),
    ("assert isinstance(f(1), (int, str))", ["f(1)"], ["a"], [1.5]),
    ("assert Solution().solve([1]) == True", ["Solution().solve([1])"], [True], [False]),
    ("assert sum(10, 15) == 6", ["sum(10, 15)"], [6], [25]),
    (
        "def check(candidate):\n    assert candidate(1) == 2\n    assert candidate(2)\ncheck(f)",
        ["f(1)", "f(2)"],
        [2, True],
        [2, False],
    ),
]


@pytest.mark.parametrize(("source", "leaves", "right", "wrong"), SPLIT)
def test_the_child_computes_values_and_the_judge_compares(
    source: str, leaves: list[str], right: list[object], wrong: list[object]
) -> None:
    plan = split_assert(source)
    assert [step[1] for step in plan.steps] == leaves
    assert plan.assurance is Assurance.HIGH
    assert all(check.holds(right) for check in plan.checks)
    assert not all(check.holds(wrong) for check in plan.checks)


@pytest.mark.parametrize(
    "source",
    [
        "assert f(1) == f(2)",
        "assert f(1) - g(1) == 0",
        "assert all(x > 0 for x in f(1))",
        "assert isinstance(f(1), Point)",
        "assert f(1).startswith('a')",
        "assert f(1).startswith('a') == True",
        "assert (f(1) == 2) == True",
        "assert isinstance(f(1), int) == True",
        "assert f(1) is f(1)",
        "assert f(1) or g(1)",
        "assert allclose(f(1), [2.0])",
        "assert x",
        "for i in range(3):\n    assert f(i) == i",
        "f(1)",
        "x = 1",
        "not python (",
        "\x00",
    ],
)
def test_a_test_that_could_be_guessed_or_not_be_read_has_low_assurance(source: str) -> None:
    assert split_assert(source).assurance is Assurance.LOW


def test_expected_values_are_in_no_step() -> None:
    for source, *_ in SPLIT:
        steps = " ".join(text for _, text in split_assert(source.replace("2.0", "271828.0")).steps)
        assert "271828" not in steps


def test_a_name_that_the_test_defines_is_not_the_programs() -> None:
    source = "def agrees(x):\n    return x == 3\nassert agrees(f(1))"
    assert split_assert(source).assurance is Assurance.LOW


def test_a_loop_beside_split_asserts_lowers_the_assurance_only() -> None:
    plan = split_assert("assert f(1) == 2\nfor i in [1]:\n    assert f(i) == 2")
    assert plan.assurance is Assurance.LOW
    assert len(plan.checks) == 1


def test_an_abyss_of_brackets_runs_inside() -> None:
    assert split_assert("assert " + "(" * 5000 + ")" * 5000).assurance is Assurance.LOW
