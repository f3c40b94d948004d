"""Operators on variables."""

from collections.abc import Iterator
from typing import ClassVar

import libcst as cst
from libcst.metadata import ComprehensionScope, FunctionScope, Scope

from services.labeler.rule import Example
from services.labeler.syntax import Edit, Program


class NameSwap:
    """A local variable that is read is taken for the one that its function assigns next."""

    name: ClassVar[str] = "name_swap"
    may_break: ClassVar[str] = "which variable is read"
    examples: ClassVar[tuple[Example, ...]] = (
        Example("def f(a, b):\n    return a\n", "def f(a, b):\n    return b\n"),
        Example(
            "def f(a):\n    t = a.b(g)\n    return [t for x in t]\n",
            "def f(a):\n    t = t.b(g)\n    return [t for x in t]\n",
            "def f(a):\n    t = a.b(g)\n    return [a for x in t]\n",
            "def f(a):\n    t = a.b(g)\n    return [t for x in a]\n",
        ),
        Example("def f(a):\n    return a\n"),
        Example("x = y = 1\nz = x\n"),
    )

    def edits(self, node: cst.CSTNode, program: Program) -> Iterator[Edit]:
        if not isinstance(node, cst.Name) or not _is_read(node, program):
            return
        scope = _function_of(program.scopes[node])
        names = list(program.variables(scope)) if scope else []
        if node.value in names and len(names) > 1:
            yield program.replace(node, names[(names.index(node.value) + 1) % len(names)])


def _is_read(node: cst.Name, program: Program) -> bool:
    scope = program.scopes.get(node)
    return scope is not None and any(access.node is node for access in scope.accesses[node.value])


def _function_of(scope: Scope) -> FunctionScope | None:
    while isinstance(scope, ComprehensionScope):
        scope = scope.parent
    return scope if isinstance(scope, FunctionScope) else None
