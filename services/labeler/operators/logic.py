"""Operators on comparisons and conditions."""

from collections.abc import Iterator
from typing import ClassVar

import libcst as cst

from services.labeler.rule import Example
from services.labeler.syntax import Edit, Program

_RELATIONAL: dict[type[cst.BaseCompOp], tuple[str, ...]] = {
    cst.LessThan: ("<=", ">"),
    cst.LessThanEqual: ("<", ">="),
    cst.GreaterThan: (">=", "<"),
    cst.GreaterThanEqual: (">", "<="),
    cst.Equal: ("!=",),
    cst.NotEqual: ("==",),
    cst.Is: ("is not",),
    cst.IsNot: ("is",),
    cst.In: ("not in",),
    cst.NotIn: ("in",),
}


class RelationalOperator:
    """A comparison moves its boundary or turns round."""

    name: ClassVar[str] = "relational_operator"
    may_break: ClassVar[str] = "a boundary, or which way a branch goes"
    examples: ClassVar[tuple[Example, ...]] = (
        Example("x = a<b\n", "x = a<=b\n", "x = a>b\n"),
        Example("x = 1 <= a == b\n", "x = 1 < a == b\n", "x = 1 >= a == b\n", "x = 1 <= a != b\n"),
        Example("x = a not in b\n", "x = a in b\n"),
    )

    def edits(self, node: cst.CSTNode, program: Program) -> Iterator[Edit]:
        if isinstance(node, cst.ComparisonTarget):
            for text in _RELATIONAL.get(type(node.operator), ()):
                yield program.replace(node.operator, text)


class LogicalOperator:
    """`and` and `or` change places."""

    name: ClassVar[str] = "logical_operator"
    may_break: ClassVar[str] = "when two conditions hold together"
    examples: ClassVar[tuple[Example, ...]] = (
        Example("x = a and b\n", "x = a or b\n"),
        Example("x = (a)or(b)\n", "x = (a)and(b)\n"),
    )

    def edits(self, node: cst.CSTNode, program: Program) -> Iterator[Edit]:
        if isinstance(node, cst.BooleanOperation):
            yield program.replace(node.operator, "or" if isinstance(node.operator, cst.And) else "and")


class NegatedCondition:
    """A condition is turned into its contrary; one that is negated already is `UnaryRemoval`'s."""

    name: ClassVar[str] = "negated_condition"
    may_break: ClassVar[str] = "which way a branch goes, and whether a loop runs"
    examples: ClassVar[tuple[Example, ...]] = (
        Example("if a: pass\n", "if not a: pass\n"),
        Example("while(a < b): pass\n", "while(not a < b): pass\n"),
        Example("x = 1 if a or b else 2\n", "x = 1 if not (a or b) else 2\n"),
        Example("x = [y for y in z if y]\n", "x = [y for y in z if not y]\n"),
        Example("if not a: pass\n"),
    )

    def edits(self, node: cst.CSTNode, program: Program) -> Iterator[Edit]:
        if not isinstance(node, cst.If | cst.While | cst.IfExp | cst.CompIf):
            return
        match node.test:
            case cst.UnaryOperation(operator=cst.Not()):
                return
            case cst.BooleanOperation() | cst.IfExp() | cst.NamedExpr() | cst.Lambda():
                yield program.replace(node.test, f"not ({program.text(node.test)})")
            case _:
                yield program.replace(node.test, f"not {program.text(node.test)}")
