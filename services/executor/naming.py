"""Reads what the names of a test stand for: the program's, the test's own, or what came from one to the other.

Names that the test binds are followed only where it is a plain row of assignments, calls and asserts.
"""

import ast
from collections.abc import Iterable, Set
from dataclasses import replace

from services.executor.answers import Scope
from services.executor.parsing import walk

_BINDING = (ast.NamedExpr, ast.comprehension, ast.Lambda)
"""What an expression can bind names by."""
_JUDGED_OUTSIDE = {("math", None), ("pytest", None)}


def read_scope(body: list[ast.stmt], before: Iterable[ast.stmt] = ()) -> Scope:
    """The scope of a test's statements; `before` are those of a setup that runs ahead of it."""
    everything = [*before, *body]
    if all(map(_binds_nothing, everything)):
        return Scope(frozenset())
    nodes = [node for statement in everything for node in walk(statement)]
    scope = Scope(_bound_names(nodes))
    scope = replace(scope, unclear=_unclear(scope, [*before]))
    followed = None if any(isinstance(node, ast.NamedExpr) for node in nodes) else scope
    for statement in body:
        if not isinstance(statement, (ast.Assert, ast.Import, ast.ImportFrom, ast.Pass)):
            followed = followed and _follow(followed, statement)
    return followed or replace(scope, unclear=_unclear(scope, everything))


def _binds_nothing(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Assert) and not any(isinstance(node, _BINDING) for node in walk(statement))


def _unclear(scope: Scope, body: list[ast.stmt]) -> Set[str]:
    """Names of the test's in statements that have to do with an answer, or with another such name."""
    binding = [each for each in body if not isinstance(each, ast.Assert) or _has_walrus(each)]
    unclear: set[str] = set()
    while True:
        known = replace(scope, unclear=unclear)
        found = set().union(*(_names(each) for each in binding if known.mentions_an_answer(each))) & scope.rebound
        if found <= unclear:
            return unclear
        unclear |= found


def _names(node: ast.AST) -> set[str]:
    return {each.id for each in walk(node) if isinstance(each, ast.Name)}


def _has_walrus(node: ast.AST) -> bool:
    return any(isinstance(each, ast.NamedExpr) for each in walk(node))


def _follow(scope: Scope, statement: ast.stmt) -> Scope | None:
    """The scope behind an assignment or call; None where what it does to names is not followed."""
    match statement:
        case ast.Expr(ast.Constant()):
            return scope
        case ast.Expr(ast.Call() as call) if scope.is_own(call):
            return scope
        case ast.Expr(ast.Call(ast.Attribute(ast.Name(name)), arguments, [])):
            harmless = name not in scope.inputs | scope.answers | scope.objects
            return scope if harmless and all(map(scope.is_constant, arguments)) else None
        case ast.Assign([ast.Attribute(base)], value) if not scope.mentions_an_answer(value):
            return scope if scope.is_own(base) or scope.is_object(base) else None
        case ast.Assign([ast.Name(name)], value):
            return _assign(scope, {name}, value)
        case ast.Assign([ast.Tuple(targets)], value) if all(isinstance(target, ast.Name) for target in targets):
            return _assign(scope, {target.id for target in targets if isinstance(target, ast.Name)}, value)
    return None


def _assign(scope: Scope, names: set[str], value: ast.expr) -> Scope | None:
    inputs, answers, objects = scope.inputs - names, scope.answers - names, scope.objects - names
    if scope.is_object(value):
        return replace(scope, inputs=inputs, answers=answers, objects=objects | names)
    if scope.is_constant(value) or not scope.mentions_an_answer(value):
        return replace(scope, inputs=inputs | names, answers=answers, objects=objects)
    if scope.is_answer(value):
        return replace(scope, inputs=inputs, answers=answers | names, objects=objects)
    return None


def _bound_names(nodes: Iterable[ast.AST]) -> Set[str]:
    """Names to which the test itself gives a meaning; `import math` gives `math` none that it had not."""
    names: set[str] = set()
    for node in nodes:
        match node:
            case ast.ImportFrom("math" | "pytest", aliases):
                names |= {alias.name for alias in aliases if alias.asname or alias.name not in ("isclose", "approx")}
                names |= {alias.asname for alias in aliases if alias.asname}
            case ast.Import(aliases) | ast.ImportFrom(_, aliases):
                names |= {
                    (alias.asname or alias.name).partition(".")[0]
                    for alias in aliases
                    if (alias.name, alias.asname) not in _JUDGED_OUTSIDE
                }
            case ast.Name(name, ast.Store() | ast.Del()) | ast.FunctionDef(name) | ast.AsyncFunctionDef(name):
                names.add(name)
            case ast.ClassDef(name) | ast.arg(name) | ast.ExceptHandler(_, str(name)):
                names.add(name)
    return names
