"""Parses Python source into a syntax tree, one thread at a time, and runs none of it."""

import ast
import threading
from collections.abc import Iterator
from typing import Any

_one_at_a_time = threading.Lock()
"""CPython 3.11 keeps the depth of the tree under construction once a process, and threads that meet there fail with
`SystemError: AST constructor recursion depth mismatch` (https://github.com/python/cpython/issues/106905)."""

PARSE_ERRORS = (SyntaxError, ValueError, RecursionError, MemoryError)
"""What source that is no Python, or too deep, raises."""


def parse_statements(source: str) -> list[ast.stmt]:
    """The statements of `source`; raises one of `PARSE_ERRORS`."""
    with _one_at_a_time:
        return ast.parse(source).body


def parse_expression(source: str) -> ast.expr:
    """The expression that `source` is; raises one of `PARSE_ERRORS`."""
    with _one_at_a_time:
        return ast.parse(source, mode="eval").body


def parse_literal(source: str) -> Any:
    """The value of a Python literal; raises `TypeError` or one of `PARSE_ERRORS`."""
    with _one_at_a_time:
        tree = ast.parse(source.strip(), mode="eval")
    return ast.literal_eval(tree)


def walk(node: ast.AST) -> Iterator[ast.AST]:
    """`node` and all below it, in no particular order, which is much quicker than `ast.walk`."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        for name in node._fields:
            field = getattr(node, name, None)
            if isinstance(field, list):
                waiting += [each for each in field if isinstance(each, ast.AST)]
            elif isinstance(field, ast.AST) and field._fields:
                waiting.append(field)
