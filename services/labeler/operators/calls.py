"""Operators on calls: their function and their arguments."""

from collections.abc import Iterator
from typing import ClassVar

import libcst as cst

from services.labeler.rule import Example
from services.labeler.syntax import Edit, Program, Splice

_PAIRS = (
    ("min", "max"),
    ("any", "all"),
    ("ceil", "floor"),
    ("upper", "lower"),
    ("isupper", "islower"),
    ("startswith", "endswith"),
    ("lstrip", "rstrip"),
    ("ljust", "rjust"),
    ("find", "rfind"),
    ("nlargest", "nsmallest"),
    ("append", "extend"),
    ("keys", "values"),
    ("union", "intersection"),
    ("isalpha", "isdigit"),
)
_SWAPPED = dict(_PAIRS) | {right: left for left, right in _PAIRS} | {"sum": "len", "sorted": "list", "abs": "int"}


class CallSwap:
    """A function is taken for its neighbour: `min` for `max`, `startswith` for `endswith`."""

    name: ClassVar[str] = "call_swap"
    may_break: ClassVar[str] = "which of two kindred functions is called"
    examples: ClassVar[tuple[Example, ...]] = (
        Example("x = min(a)\n", "x = max(a)\n"),
        Example("x = math.floor(a)\n", "x = math.ceil(a)\n"),
        Example("x = sorted(a)\n", "x = list(a)\n"),
        Example("x = f(a)\n"),
    )

    def edits(self, node: cst.CSTNode, program: Program) -> Iterator[Edit]:
        match node:
            case cst.Call(func=cst.Name() as name) | cst.Call(func=cst.Attribute(attr=name)):
                if name.value in _SWAPPED:
                    yield program.replace(name, _SWAPPED[name.value])


class ArgumentSwap:
    """The first two positional arguments of a call change places."""

    name: ClassVar[str] = "argument_swap"
    may_break: ClassVar[str] = "which argument is which"
    examples: ClassVar[tuple[Example, ...]] = (
        Example("x = f(a, (b), c)\n", "x = f((b), a, c)\n"),
        Example("x = f(a)\n"),
        Example("x = f(*a, b)\n"),
        Example("x = f(a, a)\n"),
        Example("x = f(a, key=b)\n"),
    )

    def edits(self, node: cst.CSTNode, program: Program) -> Iterator[Edit]:
        match node:
            case cst.Call(args=[cst.Arg(keyword=None, star="") as one, cst.Arg(keyword=None, star="") as two, *_]):
                first, second = program.outer_span(one.value), program.outer_span(two.value)
                first_text, second_text = program.outer_text(one.value), program.outer_text(two.value)
                if first_text != second_text:
                    yield (
                        Splice(first.start, first.end, second_text),
                        Splice(second.start, second.end, first_text),
                    )


class RangeOffByOne:
    """A range ends one too early or too late, or starts one too late."""

    name: ClassVar[str] = "range_off_by_one"
    may_break: ClassVar[str] = "the first or the last turn of a loop"
    examples: ClassVar[tuple[Example, ...]] = (
        Example("x = range(n)\n", "x = range(n - 1)\n", "x = range(n + 1)\n"),
        Example("x = range(a or b, n)\n", "x = range(a or b, n - 1)\n", "x = range(a or b, n + 1)\n"),
        Example("x = range(i, n)\n", "x = range(i, n - 1)\n", "x = range(i, n + 1)\n", "x = range(i + 1, n)\n"),
        Example("x = range(10)\n"),
    )

    def edits(self, node: cst.CSTNode, program: Program) -> Iterator[Edit]:
        match node:
            case cst.Call(func=cst.Name(value="range"), args=[cst.Arg(value=stop)]):
                yield from _moved(program, stop, "- 1", "+ 1")
            case cst.Call(func=cst.Name(value="range"), args=[cst.Arg(value=start), cst.Arg(value=stop), *_]):
                yield from _moved(program, stop, "- 1", "+ 1")
                yield from _moved(program, start, "+ 1")


def _moved(program: Program, bound: cst.BaseExpression, *steps: str) -> Iterator[Edit]:
    """`bound` moved by each of `steps`; literals are `IntegerConstant`'s, what binds weaker than + is left alone."""
    weak = cst.BooleanOperation | cst.IfExp | cst.Comparison | cst.Lambda | cst.StarredElement
    if isinstance(bound, cst.Integer) or (isinstance(bound, weak) and not bound.lpar):
        return
    for step in steps:
        span = program.outer_span(bound)
        yield (Splice(span.end, span.end, f" {step}"),)
