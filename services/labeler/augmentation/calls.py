"""Finds in a problem's tests the calls whose arguments are literals, and writes such calls with other arguments."""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from services.contracts import AssertTest, CallTest, Problem, TestCase

_WRAPPERS = frozenset({"set", "sorted", "list", "tuple", "dict", "frozenset", "len", "sum", "round", "str", "abs"})
"""Builtins that a test may put round a call to compare less than its whole value."""


@dataclass(frozen=True, slots=True)
class LiteralCall:
    """A call of one of the solution's functions as a test makes it; `wrapper` is what the test puts round it."""

    function: str
    args: tuple[Any, ...]
    keywords: tuple[tuple[str, Any], ...] = ()
    wrapper: str = "{}"

    def expression(self, args: Sequence[Any]) -> str:
        """The source of this call, in its wrapper, with other arguments: positional ones first, then the keywords'."""
        names = ["", *(f"{name}=" for name, _ in self.keywords)]
        prefixes = [""] * len(self.args) + names[1:]
        written = ", ".join(prefix + repr(arg) for prefix, arg in zip(prefixes, args, strict=True))
        return self.wrapper.format(f"{self.function}({written})")

    @property
    def values(self) -> tuple[Any, ...]:
        """All arguments, in the order that `expression` takes them."""
        return (*self.args, *(value for _, value in self.keywords))


def literal_calls(problem: Problem, code: str) -> list[LiteralCall]:
    """The calls of functions that `code` defines, one for each test that has one, in test order."""
    defined = {node.name for node in ast.parse(code).body if isinstance(node, ast.FunctionDef)}
    found = (_call_of(test, defined) for test in problem.tests)
    return [call for call in found if call is not None]


def _call_of(test: TestCase, defined: set[str]) -> LiteralCall | None:
    if isinstance(test, CallTest):
        args = test.args if test.args_literal is None else ast.literal_eval(test.args_literal)
        return LiteralCall(test.function, tuple(args or ()), tuple(test.kwargs.items()))
    if isinstance(test, AssertTest):
        return next(_calls_in(test.code, defined), None)
    return None


def _calls_in(source: str, defined: set[str]) -> Iterator[LiteralCall]:
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    wrappers = {id(node.args[0]): node for node in calls if node.args and _function(node) in _WRAPPERS}
    for node in calls:
        values = _values(node) if _function(node) in defined else None
        if values is not None:
            names = [keyword.arg or "" for keyword in node.keywords]
            keywords = tuple(zip(names, values[len(node.args) :], strict=True))
            wrapper = _wrapper(node, wrappers.get(id(node)))
            yield LiteralCall(_function(node), tuple(values[: len(node.args)]), keywords, wrapper)


def _function(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _wrapper(call: ast.Call, wrapped_by: ast.Call | None) -> str:
    if wrapped_by is None:
        return "{}"
    whole = ast.unparse(wrapped_by).replace("{", "{{").replace("}", "}}")
    inner = ast.unparse(call).replace("{", "{{").replace("}", "}}")
    return whole.replace(inner, "{}", 1)


def _values(call: ast.Call) -> list[Any] | None:
    """The values of all arguments, or None where one is no literal."""
    if any(keyword.arg is None for keyword in call.keywords):
        return None
    try:
        return [ast.literal_eval(node) for node in [*call.args, *(keyword.value for keyword in call.keywords)]]
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
