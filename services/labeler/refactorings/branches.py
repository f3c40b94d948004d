"""Refactorings of branches: their order, and statement against expression."""

from collections.abc import Iterator
from typing import ClassVar

import libcst as cst

from services.labeler.rule import Example
from services.labeler.syntax import Edit, Program, Splice

_CONTRARY: dict[type[cst.BaseCompOp], str] = {
    cst.Equal: "!=",
    cst.NotEqual: "==",
    cst.Is: "is not",
    cst.IsNot: "is",
    cst.In: "not in",
    cst.NotIn: "in",
}
_WEAKER_THAN_NOT = cst.BooleanOperation | cst.IfExp | cst.Lambda | cst.NamedExpr


class SwappedBranches:
    """`if c: A else: B` is `if not c: B else: A`; never `<` for `>=`, which NaN and sets tell apart."""

    name: ClassVar[str] = "swapped_branches"
    may_break: ClassVar[str] = "nothing"
    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            "if a == 1:\n    b()\n    # why\n    c()\nelse:\n    d()\n",
            "if a != 1:\n    d()\nelse:\n    b()\n    # why\n    c()\n",
        ),
        Example("if not a:\n\tb()\nelse:\n\tc()\n", "if a:\n\tc()\nelse:\n\tb()\n"),
        Example("if a < 1:\n  b()\nelse:\n  c()\n", "if not a < 1:\n  c()\nelse:\n  b()\n"),
        Example("if (a or b):\n  b()\nelse:\n  c()\n", "if (not (a or b)):\n  c()\nelse:\n  b()\n"),
        Example("if a:\n  b()\nelif c:\n  d()\nelse:\n  e()\n", "if a:\n  b()\nelif not c:\n  e()\nelse:\n  d()\n"),
        Example("if a:\n  b()\n"),
        Example("if a: b()\nelse: c()\n"),
    )

    def edits(self, node: cst.CSTNode, program: Program) -> Iterator[Edit]:
        match node:
            case cst.If(body=cst.IndentedBlock() as one, orelse=cst.Else(body=cst.IndentedBlock() as two)):
                first, second = program.span(one), program.span(two)
                yield (
                    *program.replace(node.test, contrary(node.test, program)),
                    Splice(first.start, first.end, program.text(two)),
                    Splice(second.start, second.end, program.text(one)),
                )


def contrary(test: cst.BaseExpression, program: Program) -> str:
    """The text of an expression that is true where `test` is false, fit to stand in its place."""
    match test:
        case cst.UnaryOperation(operator=cst.Not(), expression=inner):
            return program.outer_text(inner)
        case cst.Comparison(left=left, comparisons=[cst.ComparisonTarget(operator=operator, comparator=right)]):
            if type(operator) in _CONTRARY:
                return f"{program.outer_text(left)} {_CONTRARY[type(operator)]} {program.outer_text(right)}"
    text = program.text(test)
    return f"not ({text})" if isinstance(test, _WEAKER_THAN_NOT) else f"not {text}"


class ExpandedTernary:
    """`x = a if c else b` is an `if` statement."""

    name: ClassVar[str] = "expanded_ternary"
    may_break: ClassVar[str] = "nothing"
    examples: ClassVar[tuple[Example, ...]] = (
        Example("x = a if c else b\n", "if c:\n    x = a\nelse:\n    x = b\n"),
        Example(
            "def f(c):\n\treturn (1 if c else (2))\n",
            "def f(c):\n\tif c:\n\t\treturn 1\n\telse:\n\t\treturn (2)\n",
        ),
        Example("x.y = a if c else b\n"),
        Example("x = 1 + (a if c else b)\n"),
    )

    def edits(self, node: cst.CSTNode, program: Program) -> Iterator[Edit]:
        match node:
            case cst.Return(value=cst.IfExp() as choice):
                opening = "return"
            case cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value=name))], value=cst.IfExp() as choice):
                opening = f"{name} ="
            case _:
                return
        outer = program.indentation(node)
        if outer is not None:
            inner = outer + program.indent
            test, then, otherwise = (program.outer_text(part) for part in (choice.test, choice.body, choice.orelse))
            yield program.replace(
                node,
                f"if {test}:\n{inner}{opening} {then}\n{outer}else:\n{inner}{opening} {otherwise}",
            )


class JoinedBranches:
    """An `if` whose two branches give one variable its value is a conditional expression."""

    name: ClassVar[str] = "joined_branches"
    may_break: ClassVar[str] = "nothing"
    examples: ClassVar[tuple[Example, ...]] = (
        Example("if c:\n    x = a\nelse:\n    x = b\n", "x = a if c else b\n"),
        Example("if c: x = a, b\nelse: x = (b if d else e)\n", "x = (a, b) if c else (b if d else e)\n"),
        Example("if c:\n    x = a\nelse:\n    y = b\n"),
        Example("if c:\n    x = a  # why\nelse:\n    x = b\n"),
        Example("if c:\n    x = a\nelif d:\n    x = b\nelse:\n    x = e\n"),
    )

    def edits(self, node: cst.CSTNode, program: Program) -> Iterator[Edit]:
        match node:
            case cst.If(test=test, body=body, orelse=cst.Else(body=other)) if "#" not in program.text(node):
                then, otherwise = _only_assignment(body), _only_assignment(other)
                if then and otherwise and then[0] == otherwise[0] and program.indentation(node) is not None:
                    parts = [_operand(part, program) for part in (then[1], test, otherwise[1])]
                    yield program.replace(node, f"{then[0]} = {parts[0]} if {parts[1]} else {parts[2]}")


def _only_assignment(body: cst.BaseSuite) -> tuple[str, cst.BaseExpression] | None:
    match body:
        case (
            cst.IndentedBlock(body=[cst.SimpleStatementLine(body=[cst.Assign() as only])])
            | cst.SimpleStatementSuite(body=[cst.Assign() as only])
        ):
            match only:
                case cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value=name))], value=value):
                    return name, value
    return None


def _operand(part: cst.BaseExpression, program: Program) -> str:
    weak = isinstance(part, cst.IfExp | cst.Lambda | cst.NamedExpr | cst.Tuple) and not part.lpar
    return f"({program.text(part)})" if weak else program.outer_text(part)
