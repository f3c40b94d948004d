"""Operators on literals."""

import math
from collections.abc import Iterator
from typing import ClassVar

import libcst as cst

from services.labeler.rule import Example
from services.labeler.syntax import Edit, Program


class IntegerConstant:
    """An integer becomes its neighbours."""

    name: ClassVar[str] = "integer_constant"
    may_break: ClassVar[str] = "a count, a boundary, an index"
    examples: ClassVar[tuple[Example, ...]] = (
        Example("x = 1\n", "x = 2\n", "x = 0\n"),
        Example("x = a[0]\n", "x = a[1]\n", "x = a[-1]\n"),
        Example("x = 'é' * 0x10\n", "x = 'é' * 17\n", "x = 'é' * 15\n"),
        Example("def f(x: Literal[1]): pass\n"),
    )

    def edits(self, node: cst.CSTNode, program: Program) -> Iterator[Edit]:
        if isinstance(node, cst.Integer):
            for value in (node.evaluated_value + 1, node.evaluated_value - 1):
                yield program.replace(node, str(value))


class FloatConstant:
    """A float moves by one."""

    name: ClassVar[str] = "float_constant"
    may_break: ClassVar[str] = "a value"
    examples: ClassVar[tuple[Example, ...]] = (
        Example("x = 0.5\n", "x = 1.5\n", "x = -0.5\n"),
        Example("x = 1e999\n"),
    )

    def edits(self, node: cst.CSTNode, program: Program) -> Iterator[Edit]:
        if isinstance(node, cst.Float) and math.isfinite(node.evaluated_value):
            for value in (node.evaluated_value + 1, node.evaluated_value - 1):
                yield program.replace(node, repr(value))


class StringConstant:
    """A string becomes empty, an empty one a letter; docstrings stay."""

    name: ClassVar[str] = "string_constant"
    may_break: ClassVar[str] = "a text, a key, a separator"
    examples: ClassVar[tuple[Example, ...]] = (
        Example("x = 'ab'\n", "x = ''\n"),
        Example('x = b""\n', 'x = b"x"\n'),
        Example('def f():\n    """Doc."""\n'),
    )

    def edits(self, node: cst.CSTNode, program: Program) -> Iterator[Edit]:
        if isinstance(node, cst.SimpleString) and not isinstance(program.parent(node), cst.Expr):
            content = "" if node.raw_value else "x"
            yield program.replace(node, f"{node.prefix}{node.quote}{content}{node.quote}")


class BooleanConstant:
    """`True` and `False` change places."""

    name: ClassVar[str] = "boolean_constant"
    may_break: ClassVar[str] = "a flag, an initial value, an answer"
    examples: ClassVar[tuple[Example, ...]] = (
        Example("x = True\n", "x = False\n"),
        Example("return_value = [False]\n", "return_value = [True]\n"),
    )

    def edits(self, node: cst.CSTNode, program: Program) -> Iterator[Edit]:
        match node:
            case cst.Name(value="True"):
                yield program.replace(node, "False")
            case cst.Name(value="False"):
                yield program.replace(node, "True")
