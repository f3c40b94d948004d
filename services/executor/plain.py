"""The commonest tests, `assert f(1, [2]) == 3`, told at a glance.

Nine in ten tests are of this form, and six in ten hold no more than numbers, lists and short text: of those not even a
syntax tree is needed. `services.executor.splitter` would come to the same plan, by way of scopes and cases that these
can do without, in twice and in ten times the time.
"""

import ast
import json
import keyword
import re
from collections.abc import Sequence

from services.contracts import Assurance
from services.executor.answers import BUILTINS
from services.executor.conditions import Source
from services.executor.folding import NotConstantError, fold
from services.executor.plans import Check, Plan

_LITERALS = r"""((?:[-0-9 ,.\[\]]++|"[ !#-&(-\[\]-~]*+"|'[ !#-&(-\[\]-~]*+')*+)"""
"""What such literals are written with. Of these signs JSON, where it reads them at all, makes what Python makes."""
_SPACE_AND_COMMENTS = r"(?:[ \n]|#[ -~]*+)*+"
_GLANCE = re.compile(rf"assert (([A-Za-z_][A-Za-z_0-9]*+)\({_LITERALS}\)) *== *{_LITERALS}{_SPACE_AND_COMMENTS}")
_MOST_LISTS = 100
"""Python reads no deeper than twice that."""
_NO_FUNCTIONS = BUILTINS | set(keyword.kwlist)
_read = json.JSONDecoder().decode


def split_literals(code: str) -> Plan | None:
    """The plan of a test that asserts what a call with numbers, lists and text equals, and no more."""
    glance = _GLANCE.fullmatch(code)
    if glance is None or code.count("[") > _MOST_LISTS:
        return None
    call, name, arguments, constant = glance.groups()
    if name in _NO_FUNCTIONS:
        return None
    try:
        _read(f"[{arguments}]".replace("'", '"'))
        expected = _read(constant.replace("'", '"'))
    except ValueError:
        return None
    return _plan(call, expected)


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
