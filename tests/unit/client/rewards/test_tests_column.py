"""Tests in the forms that data sets have them in."""

import json
from typing import Any

import numpy as np
import pytest

from services.client import read_tests
from services.contracts import AssertTest, CallTest, StdioTest

ASSERT = "assert f(1) == 2"
CALL = {"kind": "call", "function": "f", "args": [1], "expected": None}


@pytest.mark.parametrize(
    ("value", "tests"),
    [
        (None, []),
        ([], []),
        (ASSERT, [AssertTest(code=ASSERT)]),
        ([ASSERT], [AssertTest(code=ASSERT)]),
        (np.array([ASSERT], dtype=object), [AssertTest(code=ASSERT)]),
        (json.dumps([ASSERT, CALL]), [AssertTest(code=ASSERT), CallTest(function="f", args=[1], expected=None)]),
        (CALL, [CallTest(function="f", args=[1], expected=None)]),
        (
            [{**CALL, "args": None, "args_literal": "[(1,)]", "expected_literal": "{1}", "code": None, "stdin": None}],
            [CallTest(function="f", args_literal="[(1,)]", expected_literal="{1}")],
        ),
        ({"inputs": ["3\n"], "outputs": ["4\n"]}, [StdioTest(stdin="3\n", expected_stdout="4\n")]),
        ({"inputs": [["3", "4"]], "outputs": [7]}, [StdioTest(stdin="3\n4", expected_stdout="7")]),
        (
            {"fn_name": "f", "inputs": np.array(['[1, 2]\n"a"']), "outputs": np.array(["true"])},
            [CallTest(function="f", args=[[1, 2], "a"], expected=True)],
        ),
        ({"fn_name": "f", "inputs": [[1]], "outputs": ["two"]}, [CallTest(function="f", args=[1], expected="two")]),
        ({"assert_case": [ASSERT]}, [AssertTest(code=ASSERT)]),
    ],
)
def test_every_form_is_read(value: Any, tests: list[Any]) -> None:
    assert read_tests(value) == tests


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("[1, 2", "look like JSON"),
        ({"inputs": ["1"], "outputs": []}, "as many"),
        ({"outputs": []}, "as many"),
        ({"fn_name": "f", "inputs": ["x"], "outputs": ["1"]}, "one JSON argument a line"),
        ([{"kind": "stdio"}], "expected_stdout"),
        ([3], "can't be read"),
    ],
)
def test_what_cannot_be_read_is_said(value: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_tests(value)
