"""Splits a test into what the child computes and what the judge compares, by its syntax tree.

Of `assert f(1) == 2` the child is told `f(1)` and the judge keeps `== 2`. Whatever could be guessed without knowing
the answer is taken out of the child's hands: comparisons, truth, `not`, `and`, arithmetic with what is expected
(`abs(f(x) - 3.0) < eps`), `math.isclose`, `isinstance`. What is left in the child, `sorted(f(x))` say, it may compute
as it likes: only the right value is right. An assert of another form runs inside as it stands, and its test has low
assurance; so has a test with an assert in a loop, or with none at all.
"""

import ast
import builtins
import math
import operator
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from services.contracts import Assurance
from services.executor.folding import BINARY, TYPES, UNARY, NotConstantError, calculate, fold
from services.executor.inlining import inline_check
from services.executor.parsing import PARSE_ERRORS, parse_statements
from services.executor.sandbox import Step

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
_GUESSABLE = (ast.BoolOp, ast.Compare, ast.Lambda, ast.IfExp, ast.NamedExpr, ast.Await)
_PREDICATES = frozenset(dir(builtins)) | {"isclose", "allclose", "array_equal"}
_METHODS = frozenset(name for kind in TYPES.values() for name in dir(kind))


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
def split_assert(code: str) -> Plan:
    """The plan of a test that is Python source; one that can't be read runs inside, and fails there."""
    try:
        if len(code) > _MOST_CHARACTERS:
            raise ValueError("too long to be split")
        return _split_statements(inline_check(parse_statements(code)))
    except PARSE_ERRORS:
        return Plan((("run", code),), (), Assurance.LOW)


def split_call(call: str, expected: Any) -> Plan:
    """The plan of a test that compares what the expression `call` comes to with `expected`."""
    return Plan((("value", call),), (Check(1, lambda values: values[0] == expected),), Assurance.HIGH)


def _split_statements(body: list[ast.stmt]) -> Plan:
    steps: list[Step] = []
    checks: list[Check] = []
    trusted = False
    rebound = _bound_names(body)
    for statement in body:
        sent = sum(kind != "run" for kind, _ in steps)
        try:
            if not isinstance(statement, ast.Assert):
                raise _NotSplittableError
            split = _Split(sent, rebound)
            holding = split.truths(statement.test)
        except _NotSplittableError:
            trusted |= any(isinstance(node, ast.Assert) for node in ast.walk(statement))
            steps.append(("run", ast.unparse(statement)))
        else:
            steps += split.leaves
            checks += [Check(sent + len(split.leaves), expression) for expression in holding]
    return Plan(tuple(steps), tuple(checks), Assurance.LOW if trusted or not checks else Assurance.HIGH)


def _bound_names(body: list[ast.stmt]) -> Set[str]:
    """Names to which the test itself gives a meaning; `import math` gives `math` none that it had not."""
    names: set[str] = set()
    for node in (node for statement in body for node in ast.walk(statement)):
        match node:
            case ast.Name(name, ast.Store()) | ast.FunctionDef(name) | ast.ClassDef(name):
                names.add(name)
            case ast.alias(name, alias) if (name, alias) != ("math", None):
                names.add(alias or name)
    return names


class _Split:
    """Splits one assert; its leaves follow `sent` values of the test's earlier asserts."""

    def __init__(self, sent: int, rebound: Set[str]) -> None:
        self._sent = sent
        self._rebound = rebound
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
            case ast.Call():
                return [self._predicate(node)]
            case ast.Constant(value):
                return [lambda _: value]
        raise _NotSplittableError

    def _comparison(self, node: ast.Compare) -> Expression:
        operands = [node.left, *node.comparators]
        constants = [self._constant(operand) for operand in operands]
        inside = [at for at, constant in enumerate(constants) if constant is None]
        inside = inside or [at for at, operand in enumerate(operands) if _calls(operand)][:1]
        expected = [constant(()) for at, constant in enumerate(constants) if constant and at not in inside]
        self._refuse_guesses(node, [operands[at] for at in inside], expected)
        parts = [constants[at] if at not in inside else self._value(operands[at]) for at in range(len(operands))]
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
        if any(single) and not all(self._is_candidates(operand) for operand in inside):
            raise _NotSplittableError

    def _predicate(self, node: ast.Call) -> Expression:
        match node:
            case ast.Call(ast.Attribute(ast.Name("math"), "isclose") | ast.Name("isclose"), [left, right], options):
                return self._isclose(left, right, options)
            case ast.Call(ast.Name("isinstance"), [operand, kinds], []) if "isinstance" not in self._rebound:
                value, types = self._value(operand), self._types(kinds)
                return lambda values: isinstance(value(values), types)
        if not self._is_candidates(node):
            raise _NotSplittableError
        return self._leaf("truth", node)

    def _isclose(self, left: ast.expr, right: ast.expr, options: list[ast.keyword]) -> Expression:
        constants = [self._constant(side) for side in (left, right)]
        tolerances = {option.arg: self._constant(option.value) for option in options if option.arg}
        if sum(constant is None for constant in constants) != 1 or not all(tolerances.values()):
            raise _NotSplittableError
        first, second = (constants[at] or self._value(side) for at, side in enumerate((left, right)))
        named = {name: tolerance(()) for name, tolerance in tolerances.items() if tolerance}
        return lambda values: math.isclose(first(values), second(values), **named)

    def _types(self, node: ast.expr) -> tuple[type, ...]:
        names = node.elts if isinstance(node, ast.Tuple) else [node]
        known = [TYPES[name.id] for name in names if isinstance(name, ast.Name) and name.id in TYPES]
        if len(known) < len(names) or self._rebound & {kind.__name__ for kind in known}:
            raise _NotSplittableError
        return tuple(known)

    def _value(self, node: ast.expr) -> Expression:
        """What `node` comes to, of which as little as possible is computed inside."""
        match node:
            case ast.BinOp(left, sign, right) if type(sign) in BINARY:
                constants = [self._constant(side) for side in (left, right)]
                if all(constant is None for constant in constants):
                    raise _NotSplittableError
                first, second = (constants[at] or self._value(side) for at, side in enumerate((left, right)))
                return lambda values: calculate(sign, first(values), second(values))
            case ast.UnaryOp(unary, operand) if not isinstance(unary, ast.Not):
                value, function = self._value(operand), UNARY[type(unary)]
                return lambda values: function(value(values))
            case ast.Call(ast.Name("abs" | "round" as name), [operand], []) if name not in self._rebound:
                value = self._value(operand)
                return (lambda values: abs(value(values))) if name == "abs" else (lambda values: round(value(values)))
        if isinstance(node, (*_GUESSABLE, ast.UnaryOp)):
            raise _NotSplittableError
        return self._leaf("value", node)

    def _leaf(self, kind: str, node: ast.expr) -> Expression:
        index = self._sent + len(self.leaves)
        self.leaves.append((kind, ast.unparse(node)))
        return lambda values: values[index]

    def _constant(self, node: ast.expr) -> Expression | None:
        try:
            value = fold(node, self._rebound)
        except NotConstantError:
            return None
        return lambda _: value

    def _is_candidates(self, node: ast.expr) -> bool:
        """True for a call of a function, or of a fresh object's method, that only the program can have defined."""
        match node:
            case ast.Call(ast.Name(name)):
                return name not in _PREDICATES and name not in self._rebound
            case ast.Call(ast.Attribute(ast.Call(ast.Name()) as maker, method)):
                return method not in _METHODS and self._is_candidates(maker)
        return False


def _negated(truths: list[Expression]) -> Expression:
    if len(truths) != 1:
        raise _NotSplittableError
    return lambda values: not truths[0](values)


def _calls(node: ast.expr) -> bool:
    return any(isinstance(each, ast.Call) for each in ast.walk(node))
