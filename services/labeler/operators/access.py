"""Operators on subscripts."""

from collections.abc import Iterator
from typing import ClassVar

import libcst as cst

from services.labeler.rule import Example
from services.labeler.syntax import Edit, Program

_ALREADY_MUTATED = cst.Integer | cst.UnaryOperation
_NOT_A_NUMBER = cst.SimpleString | cst.FormattedString | cst.Tuple


class IndexOffByOne:
    """An index that is computed moves to the neighbouring element; a literal one is `IntegerConstant`'s."""

    name: ClassVar[str] = "index_off_by_one"
    may_break: ClassVar[str] = "which element is read, and the end of the sequence"
    examples: ClassVar[tuple[Example, ...]] = (
        Example("x = a[i]\n", "x = a[i + 1]\n", "x = a[i - 1]\n"),
        Example("x = a[i-1]\n", "x = a[(i-1) + 1]\n", "x = a[(i-1) - 1]\n"),
        Example("x = a[0]\n"),
        Example("x = a['key']\n"),
        Example("x = a[-1]\n"),
    )

    def edits(self, node: cst.CSTNode, program: Program) -> Iterator[Edit]:
        match node:
            case cst.Subscript(slice=[cst.SubscriptElement(slice=cst.Index(value=index, star=None))]):
                if not isinstance(index, _ALREADY_MUTATED | _NOT_A_NUMBER):
                    atom = isinstance(index, cst.Name | cst.Call | cst.Attribute | cst.Subscript)
                    text = program.text(index) if atom or index.lpar else f"({program.text(index)})"
                    yield program.replace(index, f"{text} + 1")
                    yield program.replace(index, f"{text} - 1")


class SliceBoundRemoval:
    """A slice forgets one of its bounds."""

    name: ClassVar[str] = "slice_bound_removal"
    may_break: ClassVar[str] = "how much of a sequence is taken"
    examples: ClassVar[tuple[Example, ...]] = (
        Example("x = a[1:n]\n", "x = a[:n]\n", "x = a[1:]\n"),
        Example("x = a[:n]\n", "x = a[:]\n"),
        Example("x = a[::-1]\n", "x = a[::]\n"),
    )

    def edits(self, node: cst.CSTNode, program: Program) -> Iterator[Edit]:
        if isinstance(node, cst.Slice):
            for bound in (node.lower, node.upper, node.step):
                if bound is not None and not bound.lpar:
                    yield program.replace(bound, "")
