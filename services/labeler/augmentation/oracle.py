"""Asks the reference solution for the values of expressions, by running it in the executor.

The contract has no route that evaluates, so the reference is run as a whole program that prints the values, each on
a line that begins with a mark; the verdict of that run says nothing and is not looked at.
"""

import ast
import hashlib
from collections.abc import Sequence

from services.contracts import AssertTest, ExecuteReply, ExecuteRequest, Limits, Problem, StdioTest

EXPRESSIONS_A_PROGRAM = 16
"""One that hangs takes the ones behind it down with it, and no more than these."""

_WALL_S = 2.0
_CPU_OF_TESTS = 2.0
"""Of so many tests a program gets the processor time: a test gets ten times its slowest call, here are sixteen."""

_SLOWEST_CALL_S = 0.1
_LONGEST_VALUE = 1000

_HARNESS = """
from builtins import enumerate, eval, globals, len, print, repr, Exception
from time import perf_counter
for number, expression in enumerate({expressions!r}):
    begun = perf_counter()
    try:
        value = repr(eval(expression, globals()))
    except Exception:
        continue
    if perf_counter() - begun < {slowest} and len(value) <= {longest}:
        print("\\n{mark}", number, value, flush=True)
"""


def questions(problem: Problem, code: str, expressions: Sequence[str], cpu_s: float) -> list[ExecuteRequest]:
    """The programs that print the values of `expressions`, `EXPRESSIONS_A_PROGRAM` each; a test may take `cpu_s`."""
    return [
        ExecuteRequest(
            code=_asking(problem, code, expressions[start : start + EXPRESSIONS_A_PROGRAM]),
            tests=[StdioTest(expected_stdout="")],
            limits=Limits(wall_s=_WALL_S, cpu_s=_CPU_OF_TESTS * cpu_s),
        )
        for start in range(0, len(expressions), EXPRESSIONS_A_PROGRAM)
    ]


def _asking(problem: Problem, code: str, expressions: Sequence[str]) -> str:
    harness = _HARNESS.format(
        expressions=list(expressions), slowest=_SLOWEST_CALL_S, longest=_LONGEST_VALUE, mark=_mark(problem)
    )
    # Names of the harness must not hide the solution's: it runs in a function, and evaluates in the module.
    inside = harness.strip("\n").replace("\n", "\n    ")
    return f"{code}\n{problem.setup}\ndef __linewise_ask():\n    {inside}\n__linewise_ask()\n"


def _mark(problem: Problem) -> str:
    return "value:" + hashlib.sha256(problem.id.encode()).hexdigest()[:16]


def answers(problem: Problem, expressions: Sequence[str], replies: Sequence[ExecuteReply | None]) -> list[AssertTest]:
    """Tests that expect what the reference answered, for the values that Python can write down as literals."""
    tests = []
    for number, reply in enumerate(replies):
        asked = expressions[number * EXPRESSIONS_A_PROGRAM :]
        for index, value in _printed(problem, reply):
            if index < len(asked) and _is_literal(value):
                tests.append(AssertTest(code=f"assert {asked[index]} == {value}"))
    return tests


def _printed(problem: Problem, reply: ExecuteReply | None) -> list[tuple[int, str]]:
    stdout = reply.tests[0].stdout if reply and reply.tests else ""
    mark = _mark(problem) + " "
    lines = (line.removeprefix(mark).partition(" ") for line in stdout.split("\n") if line.startswith(mark))
    return [(int(number), value) for number, _, value in lines if number.isdecimal()]


def _is_literal(value: str) -> bool:
    try:
        read = ast.literal_eval(value)
        return bool(read == ast.literal_eval(repr(read)))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
