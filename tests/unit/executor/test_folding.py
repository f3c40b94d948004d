"""The judge evaluates constants, and nothing that needs a program or might grow large."""

import ast
import math
from typing import Any

import pytest

from services.executor.folding import NotConstantError, fold


def value_of(source: str, rebound: frozenset[str] = frozenset()) -> Any:
    return fold(ast.parse(source, mode="eval").body, rebound)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("[1, (2, {3}), {'a': None}]", [1, (2, {3}), {"a": None}]),
        ("-2.5", -2.5),
        ("2.0 / 3.0", 2 / 3),
        ("2 ** 10 - 1", 1023),
        ("set([1, 2, 2])", {1, 2}),
        ("sorted([3, 1], reverse=True)", [3, 1]),
        ("'ab' * 2 + 'c'", "ababc"),
        ("float('inf')", math.inf),
        ("math.pi", math.pi),
        ("{1, 2} | {3}", {1, 2, 3}),
        ("list(range(3))", [0, 1, 2]),
        ("round(2.675, 2)", 2.67),
        ("sum([1, 2.5])", 3.5),
        ("str(12)", "12"),
    ],
)
def test_constants_are_computed(source: str, value: Any) -> None:
    assert value_of(source) == value


@pytest.mark.parametrize(
    "source",
    [
        "f(1)",
        "x",
        "[].append",
        "__import__('os')",
        "open('x')",
        "eval('1')",
        "9 ** 9 ** 9",
        "[0] * 10 ** 9",
        "'%999999999d' % 1",
        "1 << 10 ** 9",
        "round(5, -10 ** 9)",
        "str([[0] * 1000])",
        "sum([[0]], [])",
        "[[0] * 1000] * 1000",
        "list(range(10 ** 9))",
        "1 / 0",
        "{**{}}",
        "sorted([1], key=lambda x: x)",
        "[i for i in [1]]",
        "math.factorial(5)",
    ],
)
def test_all_else_is_left_to_the_child(source: str) -> None:
    with pytest.raises(NotConstantError):
        value_of(source)


def test_a_name_that_the_test_rebinds_is_no_builtin() -> None:
    with pytest.raises(NotConstantError):
        value_of("sorted([1])", frozenset({"sorted"}))
