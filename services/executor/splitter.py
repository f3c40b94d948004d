"""Splits a test into what the child computes and what the judge compares, by its syntax tree.

Of `assert f(1) == 2` the child is told `f(1)` and the judge keeps `== 2`. Whatever could be guessed without knowing
the answer is taken out of the child's hands: comparisons, truth, `not`, `and`, arithmetic with what is expected
(`abs(f(x) - 3.0) < eps`), `math.isclose`, `isinstance`, `f(x).startswith("a")`. What is left in the child, such as
`sorted(f(x))`, it may compute as it likes: only the right value is right (`answers` tells what that is). An assert of
another form runs inside as it stands, and its test has low assurance; so has a test with none at all, or with one in a
loop that can't be written out (`unrolling`).
"""

import ast
import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from services.contracts import Assurance
from services.executor.answers import Scope, read_scope
from services.executor.folding import BINARY, TYPES, UNARY, NotConstantError, calculate, fold
from services.executor.inlining import inline_check
from services.executor.nearness import METHODS, VIEWS, Approximately, call_method
from services.executor.parsing import PARSE_ERRORS, parse_statements, walk
from services.executor.sandbox import Step
from services.executor.unrolling import unroll, write_out_all

Expression = Callable[[Sequence[Any]], Any]
"""What the judge computes from the values of a test's leaves."""

_MOST_CHARACTERS = 1_000_000
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
}
_SINGLETONS = (True, False, None)
_ROUNDING: dict[str, Callable[..., Any]] = {"abs": abs, "round": round, "bool": bool, "fabs": math.fabs}


@dataclass(frozen=True, slots=True)
class Check:
    """An expression that must hold once the test's first `needs` values are there."""

    needs: int
    holds: Expression


@dataclass(frozen=True, slots=True)
class Plan:
    """A test, split: the child's steps, and the judge's checks on the values they send."""

    steps: tuple[Step, ...]
    checks: tuple[Check, ...]
    assurance: Assurance

    @property
    def values(self) -> int:
        """How many values the child must send: one a step that is an expression."""
        return sum(kind != "run" for kind, _ in self.steps)


class _NotSplittableError(Exception):
    pass


@lru_cache(maxsize=4096)
def split_assert(code: str, setup: str = "") -> Plan:
    """The plan of a test that is Python source; one that can't be read runs inside, and fails there.

    `setup` is what runs ahead of it in the same namespace: what it defines is the test's and not the program's.
    """
    try:
        if len(code) + len(setup) > _MOST_CHARACTERS:
            raise ValueError("too long to be split")
        before = parse_statements(setup) if setup else []
        body = parse_statements(code)
        inlined = inline_check(body)
        return _split_statements(inlined, before, _Source(code if inlined is body else None))
    except PARSE_ERRORS:
        return Plan((("run", code),), (), Assurance.LOW)


def split_call(call: str, expected: Any) -> Plan:
    """The plan of a test that compares what the expression `call` comes to with `expected`."""
    return Plan((("value", call),), (Check(1, lambda values: values[0] == expected),), Assurance.HIGH)


class _Source:
    """What the nodes of a test were written as; None where that is not known any more."""

    def __init__(self, code: str | None) -> None:
        self._lines = code.encode().split(b"\n") if code is not None and "\r" not in code else None

    def of(self, node: ast.expr) -> str:
        """Source of `node`, cut out where it stands on one line, which is much quicker than writing it anew."""
        if self._lines is None or node.lineno != node.end_lineno:
            return ast.unparse(node)
        return self._lines[node.lineno - 1][node.col_offset : node.end_col_offset].decode()


def _split_statements(body: list[ast.stmt], before: list[ast.stmt], source: _Source) -> Plan:
    steps: list[Step] = []
    checks: list[Check] = []
    trusted = False
    scope = read_scope(body, before)
    if (written := unroll(body, scope.rebound)) is not body:
        body, scope, source = written, read_scope(written, before), _Source(None)
    for statement in body:
        sent = sum(kind != "run" for kind, _ in steps)
        try:
            if not isinstance(statement, ast.Assert):
                raise _NotSplittableError
            split = _Split(sent, scope, source)
            holding = split.truths(statement.test)
        except _NotSplittableError:
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


class _Split:
    """Splits one assert; its leaves follow `sent` values of the test's earlier asserts."""

    def __init__(self, sent: int, scope: Scope, source: _Source) -> None:
        self._sent = sent
        self._scope = scope
        self._source = source
        self.leaves: list[Step] = []

    def truths(self, node: ast.expr) -> list[Expression]:
        """Expressions that all hold where the assert does, in the order of their leaves."""
        match node:
            case ast.BoolOp(ast.And(), parts):
                return [truth for part in parts for truth in self.truths(part)]
            case ast.UnaryOp(ast.Not(), operand):
                return [_negated(self.truths(operand))]
            case ast.Compare():
                return [self._comparison(node)]
            case ast.Call(ast.Name("all")) if conditions := write_out_all(node, self._scope.rebound):
                self._source = _Source(None)
                return [truth for condition in conditions for truth in self.truths(condition)]
            case ast.Constant(value):
                return [lambda _: value]
        return [self._truth(node)]

    def _truth(self, node: ast.expr) -> Expression:
        match node:
            case ast.Call(ast.Attribute(ast.Name("math"), "isclose") | ast.Name("isclose"), [left, right], options):
                return self._isclose(node.func, left, right, options)
            case ast.Call(ast.Name("isinstance"), [operand, kinds], []) if self._is_builtin("isinstance"):
                value, types = self._value(operand), self._types(kinds)
                return lambda values: isinstance(value(values), types)
            case ast.Call(ast.Name("bool"), [_], []) if self._is_builtin("bool"):
                return self._value(node)
            case ast.Call(ast.Attribute()) if method := self._method(node):
                return method
        if not self._scope.is_own(node):
            raise _NotSplittableError
        return self._leaf("truth", node)

    def _comparison(self, node: ast.Compare) -> Expression:
        operands = [node.left, *node.comparators]
        constants = [self._constant(operand) for operand in operands]
        inside = [at for at, constant in enumerate(constants) if constant is None]
        whole = not inside
        inside = inside or [at for at, operand in enumerate(operands) if isinstance(operand, ast.Call)][:1]
        expected = [constant(()) for at, constant in enumerate(constants) if constant and at not in inside]
        self._refuse_guesses(node, [operands[at] for at in inside], expected)
        value = self._asked if whole else self._value
        parts = [constants[at] if at not in inside else value(operands[at]) for at in range(len(operands))]
        tests = [_COMPARISONS[type(sign)] for sign in node.ops]

        def holds(values: Sequence[Any]) -> bool:
            found = [part(values) for part in parts if part]
            return all(test(left, right) for test, left, right in zip(tests, found, found[1:], strict=False))

        return holds

    def _refuse_guesses(self, node: ast.Compare, inside: list[ast.expr], expected: list[Any]) -> None:
        """Leave a comparison whole whose answer the program could know without having been asked."""
        identity = any(isinstance(sign, (ast.Is, ast.IsNot)) for sign in node.ops)
        single = [any(value is each for each in _SINGLETONS) for value in expected]
        if len(inside) > 1 or (identity and not all(single)):
            raise _NotSplittableError
        if any(single) and not all(self._scope.is_own(operand) for operand in inside):
            raise _NotSplittableError

    def _isclose(self, function: ast.expr, left: ast.expr, right: ast.expr, options: list[ast.keyword]) -> Expression:
        constants = [self._constant(side) for side in (left, right)]
        tolerances = {option.arg: self._constant(option.value) for option in options if option.arg}
        known = self._is_builtin("isclose" if isinstance(function, ast.Name) else "math")
        if not known or sum(constant is None for constant in constants) != 1 or not all(tolerances.values()):
            raise _NotSplittableError
        first, second = (constants[at] or self._value(side) for at, side in enumerate((left, right)))
        named = {name: tolerance(()) for name, tolerance in tolerances.items() if tolerance}
        return lambda values: math.isclose(first(values), second(values), **named)

    def _types(self, node: ast.expr) -> tuple[type, ...]:
        names = node.elts if isinstance(node, ast.Tuple) else [node]
        known = [TYPES[name.id] for name in names if isinstance(name, ast.Name) and name.id in TYPES]
        if len(known) < len(names) or self._scope.rebound & {kind.__name__ for kind in known}:
            raise _NotSplittableError
        return tuple(known)

    def _value(self, node: ast.expr) -> Expression:
        """What `node` comes to, of which as little as possible is computed inside."""
        match node:
            case ast.BinOp(left, sign, right):
                return self._arithmetic(sign, left, right)
            case ast.UnaryOp(unary, operand) if not isinstance(unary, ast.Not):
                value, function = self._value(operand), UNARY[type(unary)]
                return lambda values: function(value(values))
            case ast.Call(ast.Name("abs" | "round" | "bool" as name) | ast.Attribute(ast.Name("math"), "fabs" as name)):
                return self._rounded(node, name)
            case ast.List(items) | ast.Tuple(items) if items:
                parts, kind = [self._constant(item) or self._value(item) for item in items], TYPES[_kind_of(node)]
                return lambda values: kind([part(values) for part in parts])
            case ast.Call(ast.Attribute()) if method := self._method(node):
                return method
        return self._asked(node)

    def _asked(self, node: ast.expr) -> Expression:
        if not self._scope.is_answer(node):
            raise _NotSplittableError
        return self._leaf("value", node)

    def _arithmetic(self, sign: ast.operator, left: ast.expr, right: ast.expr) -> Expression:
        constants = [self._constant(side) for side in (left, right)]
        formats = isinstance(sign, ast.Mod) and constants[0] and isinstance(constants[0](()), (str, bytes))
        if all(constant is None for constant in constants) or formats or type(sign) not in {*BINARY, ast.Pow}:
            raise _NotSplittableError
        first, second = (constants[at] or self._value(side) for at, side in enumerate((left, right)))
        return lambda values: calculate(sign, first(values), second(values))

    def _rounded(self, node: ast.Call, name: str) -> Expression:
        most = 2 if name == "round" else 1
        known = self._is_builtin("math" if name == "fabs" else name)
        if not known or node.keywords or not 1 <= len(node.args) <= most:
            raise _NotSplittableError
        value, function = self._value(node.args[0]), _ROUNDING[name]
        options = [self._constant(option) for option in node.args[1:]]
        if not all(options):
            raise _NotSplittableError
        return lambda values: function(value(values), *(option(()) for option in options if option))

    def _method(self, node: ast.Call) -> Expression | None:
        """A method of plain text or of a dict, called outside on the answer; None for any other."""
        if self._scope.is_own(node):
            return None
        match node:
            case ast.Call(ast.Attribute(base, name), [], []) if name in VIEWS and self._scope.is_own(base):
                value, view = self._value(base), VIEWS[name]
                return lambda values: view(value(values))
            case ast.Call(ast.Attribute(base, name), arguments, []) if name in METHODS and self._scope.is_own(base):
                constants = [constant for argument in arguments if (constant := self._constant(argument))]
                if len(constants) == len(arguments):
                    text = self._value(base)
                    return lambda values: call_method(name, text(values), *(constant(()) for constant in constants))
        return None

    def _is_builtin(self, name: str) -> bool:
        return name not in self._scope.rebound and "*" not in self._scope.rebound

    def _leaf(self, kind: str, node: ast.expr) -> Expression:
        index = self._sent + len(self.leaves)
        self.leaves.append((kind, self._source.of(node)))
        return lambda values: values[index]

    def _constant(self, node: ast.expr) -> Expression | None:
        try:
            value = fold(node, self._scope.rebound)
        except NotConstantError:
            return self._approximately(node)
        return lambda _: value

    def _approximately(self, node: ast.expr) -> Expression | None:
        match node:
            case ast.Call(ast.Attribute(ast.Name("pytest" as name), "approx") | ast.Name("approx" as name), [wanted]):
                try:
                    expected = fold(wanted, self._scope.rebound)
                    named = {each.arg: fold(each.value, self._scope.rebound) for each in node.keywords if each.arg}
                except NotConstantError:
                    return None
                if self._is_builtin(name) and named.keys() <= {"rel", "abs", "nan_ok"}:
                    return lambda _: Approximately(expected, **named)
        return None


def _kind_of(node: ast.List | ast.Tuple) -> str:
    return "list" if isinstance(node, ast.List) else "tuple"


def _negated(truths: list[Expression]) -> Expression:
    if len(truths) != 1:
        raise _NotSplittableError
    return lambda values: not truths[0](values)
