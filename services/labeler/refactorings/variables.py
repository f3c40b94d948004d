"""Refactorings that name things: a local variable anew, a value for the first time."""

import zlib
from collections.abc import Iterator
from typing import ClassVar

import libcst as cst
from libcst.metadata import Assignment

from services.labeler.rule import Example
from services.labeler.syntax import Edit, Program, Splice

_RESULTS = ("result", "answer", "output")
_CONDITIONS = ("condition", "holds", "is_met")
_VARIABLES = ("value", "item", "current", "element", "entry")
_ALREADY_NAMED = cst.Name | cst.Integer | cst.Float | cst.SimpleString


class ExtractedResult:
    """`return e` is `result = e` and `return result`."""

    name: ClassVar[str] = "extracted_result"
    may_break: ClassVar[str] = "nothing"
    examples: ClassVar[tuple[Example, ...]] = (
        Example("def f(a):\n\treturn a + 1  # sum\n", "def f(a):\n\tresult = a + 1\n\treturn result  # sum\n"),
        Example("def f(result):\n  return(result)[0]\n", "def f(result):\n  answer = (result)[0]\n  return answer\n"),
        Example("def f(a):\n    return a\n"),
        Example("def f(a): return a + 1\n"),
    )

    def edits(self, node: cst.CSTNode, program: Program) -> Iterator[Edit]:
        match node:
            case cst.Return(value=cst.BaseExpression() as value) if not isinstance(value, _ALREADY_NAMED):
                indentation = program.indentation(node)
                if indentation is not None:
                    name = program.fresh_name(*_RESULTS)
                    text = f"{name} = {program.outer_text(value)}\n{indentation}return {name}"
                    yield program.replace(node, text)


class ExtractedCondition:
    """`if e:` is `condition = e` and `if condition:`; not for `elif`, whose test is not always reached."""

    name: ClassVar[str] = "extracted_condition"
    may_break: ClassVar[str] = "nothing"
    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            "if a == 1:\n    b()\nelif c > d:\n    e()\n",
            "condition = a == 1\nif condition:\n    b()\nelif c > d:\n    e()\n",
        ),
        Example("if(a and b): c()\n", "condition = (a and b)\nif condition: c()\n"),
        Example("if a:\n    b()\n"),
    )

    def edits(self, node: cst.CSTNode, program: Program) -> Iterator[Edit]:
        if not isinstance(node, cst.If) or isinstance(node.test, _ALREADY_NAMED | cst.NamedExpr):
            return
        indentation = program.indentation(node)
        if indentation is not None:
            name = program.fresh_name(*_CONDITIONS)
            end = program.outer_span(node.test).end
            text = f"{name} = {program.outer_text(node.test)}\n{indentation}if {name}"
            yield (Splice(program.span(node).start, end, text),)


class RenamedVariable:
    """A local variable has another name wherever it stands; parameters keep theirs, for callers may use them."""

    name: ClassVar[str] = "renamed_variable"
    may_break: ClassVar[str] = "code that looks a variable up by its name"
    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            "def f(a):\n    x = a\n    x += 1\n    return [x for y in a if x.x]\n",
            "def f(a):\n    element = a\n    element += 1\n    return [element for y in a if element.x]\n",
        ),
        Example(
            "def f(a):\n    for i in a:\n        print(i)\n",
            "def f(a):\n    for value in a:\n        print(value)\n",
        ),
        Example("def f(a):\n    return a\n"),
        Example("def f(a):\n    global x\n    x = a\n"),
        Example("def f(a):\n    x = a\n    def g():\n        nonlocal x\n        x = 2\n    g()\n    return x\n"),
        Example("def f(a):\n    x = a\n    return locals()\n"),
        Example("x = 1\nprint(x)\n"),
    )

    def edits(self, node: cst.CSTNode, program: Program) -> Iterator[Edit]:
        if not isinstance(node, cst.FunctionDef) or program.names_are_public:
            return
        scope = next((scope for scope in program.functions if scope.node is node), None)
        for name, assignments in program.variables(scope).items() if scope else ():
            places = _places(assignments)
            if places is not None:
                fresh = program.fresh_name(*_wishes(name))
                spans = sorted((program.span(place) for place in places), key=lambda span: span.start)
                yield tuple(Splice(span.start, span.end, fresh) for span in spans)


def _places(assignments: list[Assignment]) -> set[cst.Name] | None:
    """Every name node that stands for the variable, or None where one of them is no plain name."""
    nodes = [assignment.node for assignment in assignments]
    nodes += [access.node for assignment in assignments for access in assignment.references]
    places = {node for node in nodes if isinstance(node, cst.Name)}
    return places if len(places) == len(set(nodes)) else None


def _wishes(name: str) -> tuple[str, ...]:
    """The new names to try, begun at a place that depends on the old one alone."""
    start = zlib.crc32(name.encode()) % len(_VARIABLES)
    return _VARIABLES[start:] + _VARIABLES[:start]
