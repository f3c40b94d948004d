"""Refactorings of assignments: counting, and lists that are built."""

from collections.abc import Iterator
from typing import ClassVar

import libcst as cst

from services.labeler.rule import Example
from services.labeler.syntax import Edit, Program

_SIGNS: dict[type[cst.CSTNode], str] = {
    cst.AddAssign: "+",
    cst.SubtractAssign: "-",
    cst.Add: "+",
    cst.Subtract: "-",
}


class ExpandedIncrement:
    """`i += 1` is `i = i + 1`; only for literal numbers, since lists would be copied instead of changed."""

    name: ClassVar[str] = "expanded_increment"
    may_break: ClassVar[str] = "other names of the same list: `+=` changes it in place, `+` makes a new one"
    examples: ClassVar[tuple[Example, ...]] = (
        Example("i += 1\n", "i = i + 1\n"),
        Example("while a: i-=2; b()\n", "while a: i = i - 2; b()\n"),
        Example("a += b\n"),
        Example("a *= 2\n"),
        Example("a[i] += 1\n"),
    )

    def edits(self, node: cst.CSTNode, program: Program) -> Iterator[Edit]:
        match node:
            case cst.AugAssign(
                target=cst.Name(value=name), operator=operator, value=cst.Integer() | cst.Float() as number
            ):
                if type(operator) in _SIGNS:
                    yield program.replace(node, f"{name} = {name} {_SIGNS[type(operator)]} {number.value}")


class ContractedIncrement:
    """`i = i + 1` is `i += 1`; only for literal numbers."""

    name: ClassVar[str] = "contracted_increment"
    may_break: ClassVar[str] = "other names of the same list: `+=` changes it in place, `+` makes a new one"
    examples: ClassVar[tuple[Example, ...]] = (
        Example("i = i+1\n", "i += 1\n"),
        Example("i = i - 0.5\n", "i -= 0.5\n"),
        Example("i = j + 1\n"),
        Example("i = i + j\n"),
    )

    def edits(self, node: cst.CSTNode, program: Program) -> Iterator[Edit]:
        match node:
            case cst.Assign(
                targets=[cst.AssignTarget(target=cst.Name(value=name))],
                value=cst.BinaryOperation(
                    left=cst.Name(value=same), operator=operator, right=cst.Integer() | cst.Float() as number
                ),
            ):
                if name == same and type(operator) in _SIGNS:
                    yield program.replace(node, f"{name} {_SIGNS[type(operator)]}= {number.value}")


class UnrolledComprehension:
    """A list comprehension is a loop that appends; its variables must be used nowhere else, for a loop leaks them."""

    name: ClassVar[str] = "unrolled_comprehension"
    may_break: ClassVar[str] = "a variable with the loop variable's name"
    examples: ClassVar[tuple[Example, ...]] = (
        Example("y = [f(a) for a in b]\n", "y = []\nfor a in b:\n    y.append(f(a))\n"),
        Example(
            "def f(b):\n\treturn [(a, c) for a, c in b if a if c]\n",
            "def f(b):\n\tresult = []\n\tfor a, c in b:\n\t\tif a and c:\n\t\t\tresult.append((a, c))\n"
            "\treturn result\n",
        ),
        Example("y = [a for a in y]\n"),
        Example("y = [a for a in b]\nz = a\n"),
        Example("y = [a for b in c for a in b]\n"),
        Example("def f(b):\n    return [lambda: a for a in b]\n"),
    )

    def edits(self, node: cst.CSTNode, program: Program) -> Iterator[Edit]:
        match node:
            case cst.Return(value=cst.ListComp() as built):
                name, ending = program.fresh_name("result", "found", "collected"), "return "
            case cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value=name))], value=cst.ListComp() as built):
                ending = ""
            case _:
                return
        outer = program.indentation(node)
        if outer is not None and _can_be_unrolled(built, name, program):
            last = f"\n{outer}{ending}{name}" if ending else ""
            yield program.replace(node, _loop(built, name, outer, program) + last)


def _can_be_unrolled(built: cst.ListComp, name: str, program: Program) -> bool:
    """One plain `for`; no closure that would see its variable change; no name shared with the world outside."""
    loop = built.for_in
    if loop.inner_for_in or loop.asynchronous or "#" in program.text(built) or "\n" in program.text(built):
        return False
    inside = [node for node in program.descendants(built) if isinstance(node, cst.Name)]
    bound = {node.value for node in program.descendants(loop.target) if isinstance(node, cst.Name)}
    elsewhere = program.names_outside(built)
    closes = any(isinstance(node, cst.Lambda | cst.BaseComp) for node in program.descendants(built.elt))
    return not closes and not bound & elsewhere and name not in {node.value for node in inside}


def _loop(built: cst.ListComp, name: str, outer: str, program: Program) -> str:
    loop, inner = built.for_in, outer + program.indent
    lines = [f"{name} = []", f"{outer}for {program.outer_text(loop.target)} in {program.outer_text(loop.iter)}:"]
    if loop.ifs:
        tests = [program.outer_text(condition.test) for condition in loop.ifs]
        joined = tests[0] if len(tests) == 1 else " and ".join(map(_guarded, tests))
        lines.append(f"{inner}if {joined}:")
        inner += program.indent
    return "\n".join([*lines, f"{inner}{name}.append({program.outer_text(built.elt)})"])


def _guarded(test: str) -> str:
    return test if test.isidentifier() else f"({test})"
