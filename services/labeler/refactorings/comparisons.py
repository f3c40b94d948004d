"""Refactorings of comparisons and ranges: the same question, asked another way round."""

from collections.abc import Iterator
from typing import ClassVar

import libcst as cst

from services.labeler.rule import Example
from services.labeler.syntax import Edit, Program, Splice

_MIRRORED: dict[type[cst.BaseCompOp], str] = {
    cst.LessThan: ">",
    cst.LessThanEqual: ">=",
    cst.GreaterThan: "<",
    cst.GreaterThanEqual: "<=",
    cst.Equal: "==",
    cst.NotEqual: "!=",
}
_SIMPLE = cst.Name | cst.Integer | cst.Float | cst.SimpleString


class MirroredComparison:
    """`a < b` is `b > a`: both sides are names or literals, so there is no order of effects to change."""

    name: ClassVar[str] = "mirrored_comparison"
    may_break: ClassVar[str] = "operators that a class defines for one side alone"
    examples: ClassVar[tuple[Example, ...]] = (
        Example("x = a < 1\n", "x = 1 > a\n"),
        Example("if(a)==b: pass\n", "if b == a: pass\n"),
        Example("x = f() < a\n"),
        Example("x = a < b < c\n"),
        Example("x = a in b\n"),
    )

    def edits(self, node: cst.CSTNode, program: Program) -> Iterator[Edit]:
        match node:
            case cst.Comparison(left=left, comparisons=[cst.ComparisonTarget(operator=operator, comparator=right)]):
                mirrored = _MIRRORED.get(type(operator))
                if mirrored and isinstance(left, _SIMPLE) and isinstance(right, _SIMPLE):
                    text = f"{program.text(right)} {mirrored} {program.text(left)}"
                    yield program.replace(node, text)


class DenialOfContrary:
    """`a == b` in a condition is `not a != b`; true of NaN as well."""

    name: ClassVar[str] = "denial_of_contrary"
    may_break: ClassVar[str] = "a class whose `!=` is not the contrary of its `==`"
    examples: ClassVar[tuple[Example, ...]] = (
        Example("if f(a) == b: pass\n", "if not f(a) != b: pass\n"),
        Example("while a != b: pass\n", "while not a == b: pass\n"),
        Example("if a < b: pass\n"),
        Example("x = a == b\n"),
    )

    def edits(self, node: cst.CSTNode, program: Program) -> Iterator[Edit]:
        match node:
            case cst.If(test=test) | cst.While(test=test):
                match test:
                    case cst.Comparison(comparisons=[cst.ComparisonTarget(operator=cst.Equal() | cst.NotEqual())]):
                        yield program.replace(test, _denied(test, program))


def _denied(test: cst.Comparison, program: Program) -> str:
    operator = program.span(test.comparisons[0].operator)
    contrary = "!=" if isinstance(test.comparisons[0].operator, cst.Equal) else "=="
    whole = program.span(test)
    return f"not {program.code[whole.start : operator.start]}{contrary}{program.code[operator.end : whole.end]}"


class ExplicitRangeStart:
    """`range(n)` is `range(0, n)`."""

    name: ClassVar[str] = "explicit_range_start"
    may_break: ClassVar[str] = "a function of one's own that is called range"
    examples: ClassVar[tuple[Example, ...]] = (
        Example("x = range( n )\n", "x = range( 0, n )\n"),
        Example("x = range((n))\n", "x = range(0, (n))\n"),
        Example("x = range(1, n)\n"),
        Example("x = range(*n)\n"),
    )

    def edits(self, node: cst.CSTNode, program: Program) -> Iterator[Edit]:
        match node:
            case cst.Call(func=cst.Name(value="range"), args=[cst.Arg(value=stop, star="", keyword=None)]):
                start = program.outer_span(stop).start
                yield (Splice(start, start, "0, "),)


class ImplicitRangeStart:
    """`range(0, n)` is `range(n)`."""

    name: ClassVar[str] = "implicit_range_start"
    may_break: ClassVar[str] = "a function of one's own that is called range"
    examples: ClassVar[tuple[Example, ...]] = (
        Example("x = range(0,n)\n", "x = range(n)\n"),
        Example("x = range(0, n, 2)\n"),
        Example("x = range(1, n)\n"),
    )

    def edits(self, node: cst.CSTNode, program: Program) -> Iterator[Edit]:
        match node:
            case cst.Call(
                func=cst.Name(value="range"),
                args=[cst.Arg(value=cst.Integer(value="0") as start), cst.Arg(value=stop, star="")],
            ):
                yield (Splice(program.outer_span(start).start, program.outer_span(stop).start, ""),)
