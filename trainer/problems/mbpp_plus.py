"""MBPP+: 378 of MBPP's tasks, with some hundred inputs each (EvalPlus, Liu et al. 2023, https://arxiv.org/abs/2305.01210).

For programs that pass MBPP's three asserts and are wrong. Ids are MBPP's (`Mbpp/2`), but description, function and
reference are MBPP+'s own, and may differ: programs are to be written for the prompt of here. A test is a call whose
value must equal the expected one; floats may be off by a ten-millionth or the task's own tolerance, and where the task
allows several answers (any order, any match) so does the test. Leaves out EvalPlus' contracts: no test breaks them.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from services.contracts import AssertTest, CallTest, Problem, TestCase
from trainer.problems.files import read_rows

FILE = Path(__file__).parent / "data" / "mbpp_plus.jsonl.gz"

_RELATIVE, _ABSOLUTE = 1e-7, 1e-6
"""Tolerances of results that are floats, as EvalPlus has them; a task may have a larger absolute one."""


@cache
def mbpp_plus() -> dict[int, Problem]:
    """All tasks by number, with MBPP's asserts first."""
    return {row["task_id"]: _problem(row) for row in (row for _, row in read_rows(FILE))}


def _problem(row: dict[str, Any]) -> Problem:
    asserts: list[TestCase] = [AssertTest(code=test) for test in row["test_list"]]
    return Problem(
        id=f"Mbpp/{row['task_id']}",
        prompt="\n".join([row["prompt"].strip(), row["test_list"][0]]),
        solution=row["code"].strip() + "\n",
        tests=[*asserts, *_tests(row)],
        setup="\n".join(row["test_imports"]),
    )


def _tests(row: dict[str, Any]) -> Iterator[TestCase]:
    """The inputs behind the first `n_base`, which the asserts have."""
    others = row.get("alt_expected") or [None] * len(row["inputs"])
    cases = list(zip(row["inputs"], row["expected"], others, strict=True))
    for arguments, expected, other in cases[row["n_base"] :]:
        call = f"{row['entry_point']}(*{arguments})"
        if row["oracle"] == "set_eq":
            yield AssertTest(code=f"assert set({call}) == set({expected})")
        elif row["oracle"] == "not_none":
            yield AssertTest(code=f"assert {'' if expected == 'True' else 'not '}{call}")
        elif other is not None:
            yield AssertTest(code=f"assert {call} in ({expected}, {other})")
        elif _is_float(ast.literal_eval(expected)):
            near = f"pytest.approx({expected}, rel={_RELATIVE}, abs={row['atol'] or _ABSOLUTE})"
            yield AssertTest(code=f"import pytest\nassert {call} == {near}")
        else:
            yield CallTest(function=row["entry_point"], args_literal=arguments, expected_literal=expected)


def _is_float(value: object) -> bool:
    """True for a float, and for a list or tuple of nothing else."""
    if isinstance(value, list | tuple):
        return bool(value) and all(isinstance(item, float) for item in value)
    return isinstance(value, float)
