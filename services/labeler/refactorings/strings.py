"""Refactorings of text formatting."""

from collections.abc import Iterator
from typing import ClassVar

import libcst as cst

from services.labeler.rule import Example
from services.labeler.syntax import Edit, Program


class FormatToFString:
    """`"{} {}".format(a, b)` is `f"{a} {b}"`; only for plain fields and plain names, in order."""

    name: ClassVar[str] = "format_to_fstring"
    may_break: ClassVar[str] = "the order in which values are worked out"
    examples: ClassVar[tuple[Example, ...]] = (
        Example('x = "{}, {}!".format(a, b)\n', 'x = f"{a}, {b}!"\n'),
        Example("x = '{}'.format(a)\n", "x = f'{a}'\n"),
        Example('x = "{:.2f}".format(a)\n'),
        Example('x = "{}{{}}".format(a)\n'),
        Example('x = "{}".format(a.b)\n'),
        Example('x = "{}".format(a, b)\n'),
    )

    def edits(self, node: cst.CSTNode, program: Program) -> Iterator[Edit]:
        match node:
            case cst.Call(
                func=cst.Attribute(value=cst.SimpleString() as text, attr=cst.Name(value="format")), args=args
            ):
                names = [arg.value.value for arg in args if isinstance(arg.value, cst.Name) and not arg.star]
                plain = [name for name, arg in zip(names, args, strict=False) if arg.keyword is None]
                parts = text.raw_value.split("{}")
                whole = len(plain) == len(args) == len(parts) - 1 and not text.prefix and not text.lpar
                if whole and plain and not any("{" in part or "}" in part for part in parts):
                    yield program.replace(node, f"f{text.quote}{_interleaved(parts, plain)}{text.quote}")


def _interleaved(parts: list[str], names: list[str]) -> str:
    fields = [f"{{{name}}}" for name in names]
    return parts[0] + "".join(field + part for field, part in zip(fields, parts[1:], strict=True))
