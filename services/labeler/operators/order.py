"""Operators on the order of statements: a step too few, too many, too early, or another one in its place.

They move whole statements of one block, which stand on lines of their own. The first step that differs from the
solution's is where the program goes astray.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import ClassVar

import libcst as cst

from services.labeler.rule import Example
from services.labeler.syntax import Edit, Program, Span, Splice


class StatementOmission:
    """A statement is left out, with its line; the block keeps another, and the program goes on behind it."""

    name: ClassVar[str] = "statement_omission"
    may_break: ClassVar[str] = "an effect, an assignment, an answer"
    examples: ClassVar[tuple[Example, ...]] = (
        Example("def f(x):\n    x += 1\n    return x\n", "def f(x):\n    return x\n"),
        Example("def f(x):\n    return x\n"),
        Example("if a: x = 1; y = 2\n"),
    )

    def edits(self, node: cst.CSTNode, program: Program) -> Iterator[Edit]:
        if isinstance(node, cst.IndentedBlock) and len(node.body) > 1:
            for statement in _lines(node, program):
                behind = _next_line(program, statement)
                if program.code[behind:].strip():
                    yield (Splice(_line_start(program, statement), behind, ""),)


class StatementExchange:
    """Two statements that follow each other change places."""

    name: ClassVar[str] = "statement_exchange"
    may_break: ClassVar[str] = "what is done first"
    examples: ClassVar[tuple[Example, ...]] = (
        Example("def f(x):\n    x += 1\n    x *= 2\n", "def f(x):\n    x *= 2\n    x += 1\n"),
        Example("def f(x):\n    x += 1\n    x += 1\n"),
    )

    def edits(self, node: cst.CSTNode, program: Program) -> Iterator[Edit]:
        for first, second in pairwise(_lines(node, program)):
            one, other = _text(program, first), _text(program, second)
            if one != other:
                yield (Splice(first.start, first.end, other), Splice(second.start, second.end, one))


class StatementRepetition:
    """A statement comes once more, ahead of the next."""

    name: ClassVar[str] = "statement_repetition"
    may_break: ClassVar[str] = "how often something is done"
    examples: ClassVar[tuple[Example, ...]] = (
        Example("def f(x):\n    x += 1\n    return x\n", "def f(x):\n    x += 1\n    x += 1\n    return x\n"),
        Example("def f(x):\n    return x\n"),
    )

    def edits(self, node: cst.CSTNode, program: Program) -> Iterator[Edit]:
        for statement, second in pairwise(_lines(node, program)):
            indentation = program.code[_line_start(program, second) : second.start]
            yield (Splice(second.start, second.start, f"{_text(program, statement)}\n{indentation}"),)


class StatementReplacement:
    """The statement before or after it stands in a statement's place; one that returns does not move."""

    name: ClassVar[str] = "statement_replacement"
    may_break: ClassVar[str] = "an effect, an assignment"
    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            "def f(x):\n    x += 1\n    x *= 2\n",
            "def f(x):\n    x *= 2\n    x *= 2\n",
            "def f(x):\n    x += 1\n    x += 1\n",
        ),
        Example("def f(x):\n    x += 1\n    return x\n"),
    )

    def edits(self, node: cst.CSTNode, program: Program) -> Iterator[Edit]:
        for first, second in pairwise(_lines(node, program)):
            one, other = _text(program, first), _text(program, second)
            if one != other and not other.startswith("return"):
                yield (Splice(first.start, first.end, other),)
                yield (Splice(second.start, second.end, one),)


def _lines(node: cst.CSTNode, program: Program) -> list[Span]:
    """The simple statements of a block that stand on lines of their own, docstrings left out."""
    if not isinstance(node, cst.IndentedBlock):
        return []
    lines = [line for line in node.body if isinstance(line, cst.SimpleStatementLine)]
    return [program.span(line) for line in lines if not _is_docstring(line)]


def _is_docstring(line: cst.SimpleStatementLine) -> bool:
    [first, *_] = line.body
    return isinstance(first, cst.Expr) and isinstance(first.value, cst.SimpleString | cst.ConcatenatedString)


def _text(program: Program, span: Span) -> str:
    return program.code[span.start : span.end]


def _line_start(program: Program, span: Span) -> int:
    return program.code.rfind("\n", 0, span.start) + 1


def _next_line(program: Program, span: Span) -> int:
    """Where the next line begins."""
    found = program.code.find("\n", span.end)
    return len(program.code) if found < 0 else found + 1
