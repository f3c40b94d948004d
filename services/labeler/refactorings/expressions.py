"""Refactorings of single expressions: the same value, computed by other words."""

from collections.abc import Iterator
from typing import ClassVar

import libcst as cst

from services.labeler.rule import Example
from services.labeler.syntax import Edit, Program, Splice


class SquareAsProduct:
    """`x ** 2` is `(x * x)`, of a name, which costs nothing to read twice."""

    name: ClassVar[str] = "square_as_product"
    may_break: ClassVar[str] = "an overflow error of floats, which becomes infinity; a class with a power of its own"
    examples: ClassVar[tuple[Example, ...]] = (
        Example("y = 1 / x**2\n", "y = 1 / (x * x)\n"),
        Example("y = -x ** 2\n", "y = -(x * x)\n"),
        Example("y = f() ** 2\n"),
        Example("y = x ** 3\n"),
    )

    def edits(self, node: cst.CSTNode, program: Program) -> Iterator[Edit]:
        match node:
            case cst.BinaryOperation(left=cst.Name(value=name), operator=cst.Power(), right=cst.Integer(value="2")):
                yield program.replace(node, f"({name} * {name})")


class ComprehensionAsCall:
    """`[f(x) for x in xs]` is `list(f(x) for x in xs)`."""

    name: ClassVar[str] = "comprehension_as_call"
    may_break: ClassVar[str] = "a function of one's own that is called list; a StopIteration inside"
    examples: ClassVar[tuple[Example, ...]] = (
        Example("y = [ f(x) for x in xs ]\n", "y = list( f(x) for x in xs )\n"),
        Example("y = sum([x for x in xs])\n", "y = sum(list(x for x in xs))\n"),
        Example("y = {x for x in xs}\n"),
        Example("y = [x]\n"),
    )

    def edits(self, node: cst.CSTNode, program: Program) -> Iterator[Edit]:
        match node:
            case cst.ListComp():
                whole = program.span(node)
                yield (
                    Splice(whole.start, whole.start + 1, "list("),
                    Splice(whole.end - 1, whole.end, ")"),
                )
