"""Splits one condition into leaves, which the child computes, and expressions on them, which the judge computes."""

import ast
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

from services.executor.answers import Scope
from services.executor.folding import BINARY, TYPES, UNARY, NotConstantError, calculate, fold, round_to
from services.executor.nearness import METHODS, VIEWS, Approximately, call_method
from services.executor.plans import Expression
from services.executor.sandbox import Step
from services.executor.unrolling import write_out_all

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
_ROUNDING: dict[str, Callable[..., Any]] = {"abs": abs, "round": round_to, "bool": bool, "fabs": math.fabs}


class NotSplittableError(Exception):
    """The condition could be guessed, or is of a form that is not known: it is for the child to judge."""


class Source:
    """What the nodes of a test were written as; None where that is not known any more."""

    def __init__(self, code: str | None) -> None:
        self._lines = code.encode().split(b"\n") if code is not None and "\r" not in code else None

    def of(self, node: ast.expr) -> str:
        """Source of `node`, cut out where it stands on one line, which is much quicker than writing it anew."""
        if self._lines is None or node.lineno != node.end_lineno:
            return ast.unparse(node)
        return self._lines[node.lineno - 1][node.col_offset : node.end_col_offset].decode()


class Split:
    """Splits one assert; its leaves follow `sent` values of the test's earlier asserts."""

    def __init__(self, sent: int, scope: Scope, source: Source) -> None:
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
                self._source = Source(None)
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
            raise NotSplittableError
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
            raise NotSplittableError
        if any(single) and not all(self._scope.is_own(operand) for operand in inside):
            raise NotSplittableError

    def _isclose(self, function: ast.expr, left: ast.expr, right: ast.expr, options: list[ast.keyword]) -> Expression:
        constants = [self._constant(side) for side in (left, right)]
        tolerances = {option.arg: self._constant(option.value) for option in options if option.arg}
        known = self._is_builtin("isclose" if isinstance(function, ast.Name) else "math")
        if not known or sum(constant is None for constant in constants) != 1 or not all(tolerances.values()):
            raise NotSplittableError
        first, second = (constants[at] or self._value(side) for at, side in enumerate((left, right)))
        named = {name: tolerance(()) for name, tolerance in tolerances.items() if tolerance}
        return lambda values: math.isclose(first(values), second(values), **named)

    def _types(self, node: ast.expr) -> tuple[type, ...]:
        names = node.elts if isinstance(node, ast.Tuple) else [node]
        known = [TYPES[name.id] for name in names if isinstance(name, ast.Name) and name.id in TYPES]
        if len(known) < len(names) or self._scope.rebound & {kind.__name__ for kind in known}:
            raise NotSplittableError
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
            raise NotSplittableError
        return self._leaf("value", node)

    def _arithmetic(self, sign: ast.operator, left: ast.expr, right: ast.expr) -> Expression:
        constants = [self._constant(side) for side in (left, right)]
        formats = isinstance(sign, ast.Mod) and constants[0] and isinstance(constants[0](()), (str, bytes))
        if all(constant is None for constant in constants) or formats or type(sign) not in {*BINARY, ast.Pow}:
            raise NotSplittableError
        first, second = (constants[at] or self._value(side) for at, side in enumerate((left, right)))
        return lambda values: calculate(sign, first(values), second(values))

    def _rounded(self, node: ast.Call, name: str) -> Expression:
        most = 2 if name == "round" else 1
        known = self._is_builtin("math" if name == "fabs" else name)
        if not known or node.keywords or not 1 <= len(node.args) <= most:
            raise NotSplittableError
        value, function = self._value(node.args[0]), _ROUNDING[name]
        options = [self._constant(option) for option in node.args[1:]]
        if not all(options):
            raise NotSplittableError
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
        raise NotSplittableError
    return lambda values: not truths[0](values)
