"""Writes out what a test says of constants: loops over them, `all(...)` of them, and names for what is expected.

    cases = [(1, 2), (2, 4)]
    for x, y in cases:
        assert f(x) == y

becomes `assert f(1) == 2` and `assert f(2) == 4`, which can be split. What is not surely the same is left as it is: a
loop that ends otherwise than by its end, a list or other mutable value that would be written twice, a name that is used
elsewhere.
"""

import ast
import copy
from collections import Counter
from collections.abc import Mapping, Set
from typing import Any

from services.executor.folding import NotConstantError, fold, fold_row
from services.executor.parsing import PARSE_ERRORS, parse_expression, walk

_MOST_STATEMENTS = 500
_IMMUTABLE = (bool, int, float, complex, str, bytes, type(None))
_REPEATING = (ast.For, ast.comprehension, ast.Lambda)
_JUDGED = frozenset("abs all approx enumerate float int isclose len list round set sorted tuple zip".split())  # noqa: SIM905


class _NotWrittenOutError(Exception):
    pass


def unroll(body: list[ast.stmt], rebound: Set[str]) -> list[ast.stmt]:
    """`body` with its constants written where they are expected, and its loops over constants written out."""
    if not any(isinstance(statement, (ast.Assign, ast.For)) for statement in body):
        return body
    body = _without_expected_names(body, rebound)
    inside_loops = Counter(
        name for statement in body if isinstance(statement, ast.For) for name in _loads(statement) & _targets(statement)
    )
    loads = Counter(name for statement in body for name in _loads(statement))
    written: list[ast.stmt] = []
    for statement in body:
        try:
            if not isinstance(statement, ast.For) or any(
                loads[name] > inside_loops[name] for name in _targets(statement)
            ):
                raise _NotWrittenOutError
            parts = _write_out(statement, rebound)
            if len(written) + len(parts) > _MOST_STATEMENTS:
                raise _NotWrittenOutError
        except (_NotWrittenOutError, NotConstantError):
            parts = [statement]
        written += parts
    return written


def write_out_all(node: ast.expr, rebound: Set[str]) -> list[ast.expr] | None:
    """The conditions that `all(...)` makes of constants or lists; None for any other expression."""
    match node:
        case ast.Call(ast.Name("all"), [ast.List(items) | ast.Tuple(items)], []) if "all" not in rebound:
            return None if any(isinstance(item, ast.Starred) for item in items) else items
        case ast.Call(ast.Name("all"), [ast.GeneratorExp(item, [loop]) | ast.ListComp(item, [loop])], []) if (
            "all" not in rebound and not loop.ifs
        ):
            try:
                return [_replaced(item, names) for names in _rounds(loop.target, loop.iter, [item], rebound)]
            except (_NotWrittenOutError, NotConstantError):
                return None
    return None


def _write_out(loop: ast.For, rebound: Set[str]) -> list[ast.stmt]:
    if loop.orelse or not all(isinstance(each, (ast.Assert, ast.Assign, ast.Expr, ast.For)) for each in loop.body):
        raise _NotWrittenOutError
    written: list[ast.stmt] = []
    for names in _rounds(loop.target, loop.iter, loop.body, rebound):
        for statement in loop.body:
            replaced = _replaced(statement, names)
            written += _write_out(replaced, rebound) if isinstance(replaced, ast.For) else [replaced]
        if len(written) > _MOST_STATEMENTS:
            raise _NotWrittenOutError
    return written


def _rounds(target: ast.expr, row: ast.expr, body: list[Any], rebound: Set[str]) -> list[dict[str, ast.expr]]:
    """What the names of `target` stand for in each round."""
    items = fold_row(row, rebound)
    names = _loads_and_stores(target)
    uses = Counter(name for each in body for name in _loads_and_stores(each))
    stored = {name for each in body for name in _stores(each)}
    if len(items) > _MOST_STATEMENTS or stored & set(names) or not any(uses[name] for name in names):
        raise _NotWrittenOutError
    rounds = [_bind(target, item) for item in items]
    nested = any(isinstance(node, _REPEATING) for each in body for node in walk(each))
    once = {name for name in names if uses[name] <= 1 and not nested}
    if any(name not in once and not _is_immutable(value) for bound in rounds for name, value in bound.items()):
        raise _NotWrittenOutError
    return [{name: _literal(value) for name, value in bound.items()} for bound in rounds]


def _bind(target: ast.expr, item: Any) -> dict[str, Any]:
    """What each name of `target` is assigned with `item`."""
    match target:
        case ast.Name(name):
            return {name: item}
        case ast.Tuple(parts) | ast.List(parts) if isinstance(item, (list, tuple)) and len(item) == len(parts):
            bound = [pair for part, value in zip(parts, item, strict=True) for pair in _bind(part, value).items()]
            if len(dict(bound)) == len(bound):
                return dict(bound)
    raise _NotWrittenOutError


def _literal(value: Any) -> ast.expr:
    """An expression for `value`; not every float has one."""
    try:
        node = parse_expression(repr(value))
        same = fold(node) == value
    except PARSE_ERRORS as error:
        raise _NotWrittenOutError from error
    if not same:
        raise _NotWrittenOutError
    return node


def _is_immutable(value: Any) -> bool:
    if isinstance(value, (tuple, frozenset)):
        return all(map(_is_immutable, value))
    return isinstance(value, _IMMUTABLE)


def _without_expected_names(body: list[ast.stmt], rebound: Set[str]) -> list[ast.stmt]:
    """`body` without the names that it gives to constants and only compares with, or goes through in a loop."""
    stores = Counter(name for statement in body for name in _stores(statement))
    loads = Counter(each for statement in body for each in _loads_and_stores(statement))
    loads.subtract(stores)
    shown = set().union(*map(_shown, body))
    rows = {name for statement in body for name in _gone_through(statement)}
    values: dict[str, ast.expr] = {}
    kept: list[ast.stmt] = []
    for statement in body:
        match statement:
            case ast.Assign([ast.Name(name)], value) if stores[name] == 1 and loads[name] and name not in shown:
                try:
                    known = fold(value, rebound)
                    if _is_immutable(known) or loads[name] == 1 or name not in rows:
                        values[name] = value
                        continue
                except NotConstantError:
                    pass
        kept.append(_replaced(statement, values))
    return kept


def _gone_through(statement: ast.stmt) -> set[str]:
    loops = [node for node in walk(statement) if isinstance(node, (ast.For, ast.comprehension))]
    return set().union(*(_loads(loop.iter) for loop in loops))


def _shown(statement: ast.stmt) -> set[str]:
    """Names that `statement` uses otherwise than to compare with or to go through: a program may see or change them."""
    match statement:
        case ast.Assert(test):
            return _shown_in(test)
        case ast.For(_, row, body, []):
            return _shown_in(row).union(*map(_shown, body))
    return _loads(statement)


def _shown_in(node: ast.AST) -> set[str]:
    match node:
        case ast.Name(name):
            return set()
        case ast.Call(ast.Name(name) | ast.Attribute(ast.Name("math" | "pytest"), name), arguments, keywords) if (
            name in _JUDGED
        ):
            return set().union(*map(_shown_in, [*arguments, *(keyword.value for keyword in keywords)]))
        case ast.Call(ast.Attribute(ast.Name(), "items"), [], []):
            return set()
        case ast.Compare() | ast.BoolOp() | ast.UnaryOp() | ast.BinOp() | ast.List() | ast.Tuple():
            return set().union(*map(_shown_in, ast.iter_child_nodes(node)))
        case ast.GeneratorExp(item, loops) | ast.ListComp(item, loops):
            parts = [item, *(part for loop in loops for part in (loop.iter, *loop.ifs))]
            return set().union(*map(_shown_in, parts))
    return _loads(node)


def _loads(node: ast.AST) -> set[str]:
    return {each.id for each in walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load)}


def _targets(loop: ast.For) -> set[str]:
    return {node.id for node in walk(loop.target) if isinstance(node, ast.Name)}


def _loads_and_stores(node: ast.AST) -> list[str]:
    return [each.id for each in walk(node) if isinstance(each, ast.Name)]


def _stores(node: ast.AST) -> list[str]:
    return [each.id for each in walk(node) if isinstance(each, ast.Name) and not isinstance(each.ctx, ast.Load)]


class _Replace(ast.NodeTransformer):
    def __init__(self, values: Mapping[str, ast.expr]) -> None:
        self._values = values

    def visit_Name(self, node: ast.Name) -> ast.expr:
        is_read = isinstance(node.ctx, ast.Load) and node.id in self._values
        return copy.deepcopy(self._values[node.id]) if is_read else node


def _replaced(node: Any, values: Mapping[str, ast.expr]) -> Any:
    return _Replace(values).visit(copy.deepcopy(node)) if values else node
