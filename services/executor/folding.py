"""Evaluates constant expressions of a test in the judge's own process: literals, arithmetic and a few pure builtins.

No name of the candidate is looked up and no code of a test is run. Whatever is not on the list, or might be large, is
`NotConstantError`, and the caller leaves it to the child.
"""

import ast
import math
import operator
from collections.abc import Callable, Set
from typing import Any

_MOST_ITEMS = 100_000
_MOST_BITS = 100_000
_MOST_DIGITS = 1_000
_SCALARS = (bool, int, float, complex, str, bytes, type(None))

BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
}
_OF_SETS = (ast.Sub, ast.BitAnd, ast.BitOr, ast.BitXor)
_SETS: tuple[type, ...] = (set, frozenset, type({}.keys()), type({}.items()))
UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Invert: operator.invert,
    ast.Not: operator.not_,
}


def round_to(number: Any, digits: int | None = None) -> Any:
    """`round`, but for a number of digits that would make a huge one; raises `ValueError` there."""
    if digits is not None and abs(digits) > _MOST_DIGITS:
        raise ValueError("too many digits")
    return round(number, digits)


def _sum(items: Any, start: Any = 0) -> Any:
    if not all(isinstance(item, _SCALARS) for item in (*items, start)):
        raise TypeError("a sum of no numbers")
    return sum(items, start)


def _str(value: Any = "") -> str:
    if not isinstance(value, _SCALARS):
        raise TypeError("a long text")
    return str(value)


_PURE: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (abs, bool, complex, dict, float, frozenset, int, len, list, max, min, set, sorted)
} | {
    "tuple": tuple,
    "range": lambda *bounds: _short(range(*bounds)),
    "round": round_to,
    "str": _str,
    "sum": _sum,
}
_ROWS: dict[str, Callable[..., list[Any]]] = {
    "enumerate": lambda *arguments: list(enumerate(*arguments)),
    "zip": lambda *rows: list(zip(*rows, strict=False)),
}
"""As a row to be gone through only: an iterator is not its list."""
_MATH = {"pi": math.pi, "e": math.e, "tau": math.tau, "inf": math.inf, "nan": math.nan}
TYPES: dict[str, type] = {
    kind.__name__: kind for kind in (bool, bytes, complex, dict, float, frozenset, int, list, set, str, tuple)
}


class NotConstantError(Exception):
    """The expression needs names of the program, or is not one that the judge evaluates."""


def fold(node: ast.expr, rebound: Set[str] = frozenset()) -> Any:
    """The value of a constant expression; `rebound` are names that the test gives another meaning.

    Raises:
        NotConstantError: it is none, or evaluating it raises.
    """
    try:
        return _fold(node, rebound)
    except (ArithmeticError, TypeError, ValueError, LookupError, RecursionError) as error:
        raise NotConstantError(type(error).__name__) from error


def fold_row(node: ast.expr, rebound: Set[str] = frozenset()) -> list[Any]:
    """The items of a constant expression over which a loop goes.

    Raises:
        NotConstantError: it is none, or not to be gone through in a known order.
    """
    match node:
        case ast.Call(ast.Name("zip" | "enumerate" as name), arguments, []) if name not in rebound:
            return _ROWS[name](*(fold_row(argument, rebound) for argument in arguments))
        case ast.Call(ast.Attribute(mapping, "items"), [], []):
            pairs = fold(mapping, rebound)
            if isinstance(pairs, dict):
                return list(pairs.items())
    items = fold(node, rebound)
    if isinstance(items, (list, tuple, str, dict, range)):
        return list(items)
    raise NotConstantError(type(items).__name__)


def _fold(node: ast.expr, rebound: Set[str]) -> Any:
    match node:
        case ast.Constant(value):
            return value
        case ast.List(items) | ast.Tuple(items) | ast.Set(items):
            kind = {ast.List: list, ast.Tuple: tuple, ast.Set: set}[type(node)]
            return kind([_fold(item, rebound) for item in items])
        case ast.Dict(keys, values) if None not in keys:
            return {_fold(key, rebound): _fold(value, rebound) for key, value in zip(keys, values, strict=True) if key}
        case ast.UnaryOp(sign, operand):
            return UNARY[type(sign)](_fold(operand, rebound))
        case ast.BinOp(left, sign, right):
            return calculate(sign, _fold(left, rebound), _fold(right, rebound))
        case ast.Attribute(ast.Name("math"), name) if "math" not in rebound:
            return _MATH[name]
        case ast.Call(ast.Name(name), arguments, keywords) if name in _PURE and name not in rebound:
            named = {keyword.arg: _fold(keyword.value, rebound) for keyword in keywords if keyword.arg}
            if len(named) < len(keywords):
                raise NotConstantError("**")
            return _PURE[name](*(_fold(argument, rebound) for argument in arguments), **named)
    raise NotConstantError(type(node).__name__)


def calculate(sign: ast.operator, left: Any, right: Any) -> Any:
    """`left sign right`, where the result can be neither large nor anything but arithmetic or sets.

    Raises:
        TypeError: an operand is not one that the judge calculates with.
    """
    if isinstance(sign, ast.Pow):
        return _power(left, right)
    if type(sign) not in BINARY:
        raise TypeError(f"unsupported operator {type(sign).__name__}")
    if (
        all(_is_number(operand) for operand in (left, right))
        or _repeats_a_little(sign, left, right)
        or (isinstance(sign, ast.Add) and type(left) is type(right))
    ):
        return BINARY[type(sign)](left, right)
    if isinstance(sign, _OF_SETS) and all(isinstance(operand, _SETS) for operand in (left, right)):
        return BINARY[type(sign)](left, right)
    if isinstance(sign, ast.BitOr) and isinstance(left, dict) and isinstance(right, dict):
        return left | right
    raise TypeError(f"unsupported operand types: {type(left).__name__} and {type(right).__name__}")


def _is_number(operand: Any) -> bool:
    if isinstance(operand, int):
        return operand.bit_length() <= _MOST_BITS
    return isinstance(operand, (float, complex))


def _repeats_a_little(sign: ast.operator, left: Any, right: Any) -> bool:
    if not isinstance(sign, ast.Mult):
        return False
    sequence, times = (right, left) if isinstance(left, int) else (left, right)
    known = isinstance(sequence, (str, bytes, list, tuple)) and isinstance(times, int)
    if not known or len(sequence) * times > _MOST_ITEMS:
        return False
    return isinstance(sequence, (str, bytes)) or all(isinstance(item, _SCALARS) for item in sequence)


def _power(base: Any, exponent: Any) -> Any:
    if isinstance(base, int) and isinstance(exponent, int):
        if base.bit_length() * max(exponent, 1) > _MOST_BITS:
            raise TypeError("a large power")
        return base**exponent
    if isinstance(base, (int, float)) and isinstance(exponent, (int, float)):
        return base**exponent
    raise TypeError("a power of no numbers")


def _short(row: range) -> range:
    if len(row) > _MOST_ITEMS:
        raise ValueError("a long range")
    return row
