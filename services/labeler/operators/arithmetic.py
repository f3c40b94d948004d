"""Operators on arithmetic: binary, augmented and unary."""

from collections.abc import Iterator
from typing import ClassVar

import libcst as cst

from services.labeler.rule import Example
from services.labeler.syntax import Edit, Program

_BINARY: dict[type[cst.BaseBinaryOp], tuple[str, ...]] = {
    cst.Add: ("-", "*"),
    cst.Subtract: ("+",),
    cst.Multiply: ("+", "//"),
    cst.Divide: ("*", "//"),
    cst.FloorDivide: ("/", "%"),
    cst.Modulo: ("//", "*"),
    cst.Power: ("*",),
    cst.BitAnd: ("|",),
    cst.BitOr: ("&", "^"),
    cst.BitXor: ("|", "&"),
    cst.LeftShift: (">>",),
    cst.RightShift: ("<<",),
}
_AUGMENTED: dict[type[cst.BaseAugOp], str] = {
    cst.AddAssign: "-=",
    cst.SubtractAssign: "+=",
    cst.MultiplyAssign: "+=",
    cst.DivideAssign: "*=",
    cst.FloorDivideAssign: "*=",
    cst.ModuloAssign: "//=",
    cst.PowerAssign: "*=",
    cst.BitAndAssign: "|=",
    cst.BitOrAssign: "&=",
    cst.BitXorAssign: "|=",
    cst.LeftShiftAssign: ">>=",
    cst.RightShiftAssign: "<<=",
}


class ArithmeticOperator:
    """An arithmetic or bitwise operator becomes one that is easily taken for it."""

    name: ClassVar[str] = "arithmetic_operator"
    may_break: ClassVar[str] = "a value, and the types that have the operator"
    examples: ClassVar[tuple[Example, ...]] = (
        Example("x = a + b\n", "x = a - b\n", "x = a * b\n"),
        Example("x = (a)**b\n", "x = (a)*b\n"),
        Example("x = a & b\n", "x = a | b\n"),
        Example("x = a < b\n"),
    )

    def edits(self, node: cst.CSTNode, program: Program) -> Iterator[Edit]:
        if isinstance(node, cst.BinaryOperation):
            for text in _BINARY.get(type(node.operator), ()):
                yield program.replace(node.operator, text)


class AugmentedOperator:
    """An augmented assignment does another operation."""

    name: ClassVar[str] = "augmented_operator"
    may_break: ClassVar[str] = "a running value"
    examples: ClassVar[tuple[Example, ...]] = (
        Example("x += 1\n", "x -= 1\n"),
        Example("x//=2\n", "x*=2\n"),
    )

    def edits(self, node: cst.CSTNode, program: Program) -> Iterator[Edit]:
        if isinstance(node, cst.AugAssign) and type(node.operator) in _AUGMENTED:
            yield program.replace(node.operator, _AUGMENTED[type(node.operator)])


class AugmentedToPlain:
    """An augmented assignment forgets what was there."""

    name: ClassVar[str] = "augmented_to_plain"
    may_break: ClassVar[str] = "what was gathered before"
    examples: ClassVar[tuple[Example, ...]] = (Example("total += x\n", "total = x\n"),)

    def edits(self, node: cst.CSTNode, program: Program) -> Iterator[Edit]:
        if isinstance(node, cst.AugAssign):
            yield program.replace(node.operator, "=")


class UnaryRemoval:
    """A minus, tilde or `not` is left out."""

    name: ClassVar[str] = "unary_removal"
    may_break: ClassVar[str] = "a sign or a negation"
    examples: ClassVar[tuple[Example, ...]] = (
        Example("x = -y\n", "x = y\n"),
        Example("if not (a or b): pass\n", "if (a or b): pass\n"),
        Example("x = a[~i]\n", "x = a[i]\n"),
    )

    def edits(self, node: cst.CSTNode, program: Program) -> Iterator[Edit]:
        if isinstance(node, cst.UnaryOperation):
            yield program.replace(node, program.outer_text(node.expression))
