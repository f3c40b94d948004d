"""The commonest test, `assert f(1, [2]) == 3`, told at a glance.

Nine in ten tests are of this form. `services.executor.splitter` would come to the same plan, by way of scopes and
cases that this one can do without, in twice the time.
"""

import ast
from collections.abc import Sequence

from services.contracts import Assurance
from services.executor.answers import BUILTINS
from services.executor.conditions import Source
from services.executor.folding import NotConstantError, fold
from services.executor.plans import Check, Plan


def split_plain(body: list[ast.stmt], source: Source) -> Plan | None:
    """The plan of a test, written as `source`, that asserts of a call with constants what it equals, and no more."""
    match body:
        case [ast.Assert(ast.Compare(ast.Call(ast.Name(name), arguments, []) as call, [ast.Eq()], [constant]))]:
            if name in BUILTINS:
                return None
            try:
                for argument in arguments:
                    fold(argument)
                expected = fold(constant)
            except NotConstantError:
                return None
            return _plan(source.of(call), expected)
    return None


def _plan(call: str, expected: object) -> Plan:
    def holds(values: Sequence[object]) -> bool:
        return bool(values[0] == expected)

    return Plan((("value", call),), (Check(1, holds),), Assurance.HIGH)
