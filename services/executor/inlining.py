"""Turns HumanEval's `def check(candidate): ...` and its call into plain statements, whose asserts can be split."""

import ast

from services.executor.parsing import walk

_LEAVES_ITS_FUNCTION = (ast.Return, ast.Yield, ast.YieldFrom, ast.Global, ast.Nonlocal, ast.Await)


def inline_check(body: list[ast.stmt]) -> list[ast.stmt]:
    """`body` with a function of one parameter that is called once, at the very end, put in the place of that call.

    Any other body is returned as it is.
    """
    match body:
        case [*before, ast.Expr(ast.Call(ast.Name(name), [ast.Name() as argument], []))]:
            definitions = [each for each in before if isinstance(each, ast.FunctionDef) and each.name == name]
            if len(definitions) == 1 and (parameter := _only_parameter(definitions[0])) and _is_plain(definitions[0]):
                rest = [each for each in before if each is not definitions[0]]
                renamed = _Rename({parameter: argument.id} | _locals(definitions[0]))
                return [*rest, *(renamed.visit(statement) for statement in definitions[0].body)]
    return body


def _locals(function: ast.FunctionDef) -> dict[str, str]:
    """Other names for the function's own, which must not become the program's."""
    names = [node for node in walk(function) if isinstance(node, ast.Name)]
    stored = {node.id for node in names if not isinstance(node.ctx, ast.Load)}
    return {name: f"_{name}_of_{function.name}" for name in stored}


def _only_parameter(function: ast.FunctionDef) -> str | None:
    match function.args:
        case ast.arguments([], [ast.arg(name)], None, [], [], None, []):
            return name
    return None


def _is_plain(function: ast.FunctionDef) -> bool:
    inside = [node for statement in function.body for node in walk(statement)]
    scopes = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    return not function.decorator_list and not any(
        isinstance(node, (*_LEAVES_ITS_FUNCTION, *scopes)) or _stores(node, function) for node in inside
    )


def _stores(node: ast.AST, function: ast.FunctionDef) -> bool:
    """True where the parameter itself is assigned to."""
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id == _only_parameter(function)


class _Rename(ast.NodeTransformer):
    def __init__(self, names: dict[str, str]) -> None:
        self._names = names

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(self._names.get(node.id, node.id), node.ctx)
