"""Splits a test into what the child computes and what the judge compares, by its syntax tree.

Of `assert f(1) == 2` the child is told `f(1)` and the judge keeps `== 2`. Whatever could be guessed without knowing
the answer is taken out of the child's hands: comparisons, truth, `not`, `and`, arithmetic with what is expected
(`abs(f(x) - 3.0) < eps`), `math.isclose`, `isinstance`, `f(x).startswith("a")`. What is left in the child, such as
`sorted(f(x))`, it may compute as it likes: only the right value is right (`answers` tells what that is). An assert of
another form runs inside as it stands, and its test has low assurance; so has a test with none at all, or with one in a
loop that can't be written out (`unrolling`).
"""

import ast
from functools import lru_cache
from typing import Any

from services.contracts import Assurance
from services.executor.conditions import NotSplittableError, Source, Split
from services.executor.inlining import inline_check
from services.executor.naming import read_scope
from services.executor.parsing import PARSE_ERRORS, parse_statements, walk
from services.executor.plain import split_literals, split_plain
from services.executor.plans import Check, Plan
from services.executor.sandbox import Step
from services.executor.unrolling import unroll

_MOST_CHARACTERS = 1_000_000


@lru_cache(maxsize=4096)
def split_assert(code: str, setup: str = "") -> Plan:
    """The plan of a test that is Python source; one that can't be read runs inside, and fails there.

    `setup` is what runs ahead of it in the same namespace: what it defines is the test's and not the program's.
    """
    try:
        if len(code) + len(setup) > _MOST_CHARACTERS:
            raise ValueError("too long to be split")
        if not setup and (plan := split_literals(code)):
            return plan
        before = parse_statements(setup) if setup else []
        body = parse_statements(code)
        source = Source(code)
        if not before and (plan := split_plain(body, source)):
            return plan
        inlined = inline_check(body)
        return _split_statements(inlined, before, source if inlined is body else Source(None))
    except PARSE_ERRORS:
        return Plan((("run", code),), (), Assurance.LOW)


def split_call(call: str, expected: Any) -> Plan:
    """The plan of a test that compares what the expression `call` comes to with `expected`."""
    return Plan((("value", call),), (Check(1, lambda values: values[0] == expected),), Assurance.HIGH)


def _split_statements(body: list[ast.stmt], before: list[ast.stmt], source: Source) -> Plan:
    steps: list[Step] = []
    checks: list[Check] = []
    trusted = False
    scope = read_scope(body, before)
    if (written := unroll(body, scope.rebound)) is not body:
        body, scope, source = written, read_scope(written, before), Source(None)
    for statement in body:
        sent = sum(kind != "run" for kind, _ in steps)
        try:
            if not isinstance(statement, ast.Assert):
                raise NotSplittableError
            split = Split(sent, scope, source)
            holding = split.truths(statement.test)
        except NotSplittableError:
            trusted |= any(isinstance(node, ast.Assert) for node in walk(statement))
            steps.append(("run", ast.unparse(statement)))
        else:
            steps += split.leaves
            checks += [Check(sent + len(split.leaves), expression) for expression in holding]
    steps = _without_pytest(steps)
    return Plan(tuple(steps), tuple(checks), Assurance.LOW if trusted or not checks else Assurance.HIGH)


def _without_pytest(steps: list[Step]) -> list[Step]:
    """`steps` without an import that only `approx` needed, which the judge has itself."""
    imports = [("run", "import pytest"), ("run", "from pytest import approx")]
    others = [step for step in steps if step not in imports]
    needed = any("pytest" in source or "approx" in source for _, source in others)
    return steps if needed else others
