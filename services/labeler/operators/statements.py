"""Operators on whole statements."""

from collections.abc import Iterator
from typing import ClassVar

import libcst as cst

from services.labeler.rule import Example
from services.labeler.syntax import Edit, Program

_DELETABLE = (cst.Assign, cst.AnnAssign, cst.AugAssign, cst.Expr, cst.Return, cst.Raise, cst.Assert, cst.Del)


class StatementDeletion:
    """A simple statement becomes `pass`, so that the missing step has a line of its own; docstrings stay."""

    name: ClassVar[str] = "statement_deletion"
    may_break: ClassVar[str] = "an effect, an assignment, an answer"
    examples: ClassVar[tuple[Example, ...]] = (
        Example("x = 1\n", "pass\n"),
        Example("a.sort()  # first\n", "pass  # first\n"),
        Example("if a: x = (1,\n  2); y += 1\n", "if a: pass; y += 1\n", "if a: x = (1,\n  2); pass\n"),
        Example('def f():\n    """Doc."""\n    pass\n'),
        Example("import re\n"),
    )

    def edits(self, node: cst.CSTNode, program: Program) -> Iterator[Edit]:
        if isinstance(node, _DELETABLE) and not _is_docstring(node):
            yield program.replace(node, "pass")


def _is_docstring(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.Expr) and isinstance(node.value, cst.SimpleString | cst.ConcatenatedString)


class ReturnNone:
    """A function returns nothing."""

    name: ClassVar[str] = "return_none"
    may_break: ClassVar[str] = "the answer"
    examples: ClassVar[tuple[Example, ...]] = (
        Example("def f(x):\n    return x\n", "def f(x):\n    return None\n"),
        Example("def f(x):\n    return(x, 1)\n", "def f(x):\n    return None\n"),
        Example("def f(x):\n    return\n"),
        Example("def f(x):\n    return None\n"),
    )

    def edits(self, node: cst.CSTNode, program: Program) -> Iterator[Edit]:
        match node:
            case cst.Return(value=None) | cst.Return(value=cst.Name(value="None")):
                return
            case cst.Return():
                yield program.replace(node, "return None")


class BreakContinue:
    """`break` and `continue` change places."""

    name: ClassVar[str] = "break_continue"
    may_break: ClassVar[str] = "where a loop ends"
    examples: ClassVar[tuple[Example, ...]] = (
        Example("for x in y:\n    break\n", "for x in y:\n    continue\n"),
        Example("for x in y: continue\n", "for x in y: break\n"),
    )

    def edits(self, node: cst.CSTNode, program: Program) -> Iterator[Edit]:
        if isinstance(node, cst.Break):
            yield program.replace(node, "continue")
        elif isinstance(node, cst.Continue):
            yield program.replace(node, "break")
