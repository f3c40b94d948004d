"""Tells which expressions of a test come to the program's own answer, so that they may be computed inside.

A program is free to compute an answer as it likes: only the right value is right. It is not free to say how an answer
compares. So what is asked of it may be wrapped in `sorted(...)` or `len(...)` or indexed, where an object that lies
gains no more than a list or number would; but no wrapper may hold a comparison, a function of the test's, or data
besides the answer: of `operator.sub(f(1), 2) == 0` and `f(1).count("abc") == 1` the program could guess the value.
"""

import ast
import builtins
from collections.abc import Set
from dataclasses import dataclass, replace

from services.executor.folding import TYPES, NotConstantError, fold
from services.executor.parsing import walk

BUILTINS = frozenset(dir(builtins)) | {"isclose", "allclose", "array_equal", "approx"}
_METHODS = frozenset(name for kind in TYPES.values() for name in dir(kind))
_WRAPPERS = frozenset(
    "dict float frozenset int iter len list max min next repr reversed round set sorted str sum tuple".split()  # noqa: SIM905
)
_EVALUATING = frozenset({"eval", "exec"})
_WRAPPING_ATTRIBUTES = frozenset({"ceil", "deepcopy", "dumps", "fabs", "floor", "loads", "sqrt", "trunc"})
_MODULES = frozenset({"copy", "json", "math", "np", "numpy"})


@dataclass(frozen=True, slots=True)
class Scope:
    """What the names of a test stand for; any other name that is no builtin is the program's.

    `rebound` are all that the test binds. Of those, in a plain test, `inputs` are made without the program, `answers`
    come from it, `objects` are instances of its classes. In any other test some are `unclear`: the program may have
    had to do with them.
    """

    rebound: Set[str]
    inputs: Set[str] = frozenset()
    answers: Set[str] = frozenset()
    objects: Set[str] = frozenset()
    unclear: Set[str] = frozenset()

    def is_constant(self, node: ast.expr) -> bool:
        try:
            fold(node, self.rebound)
        except NotConstantError:
            return False
        return True

    def is_own(self, node: ast.expr) -> bool:
        """True for an answer just as the program gave it, or a part of that: its truth may be asked inside."""
        match node:
            case ast.Name(name):
                return name in self.answers
            case ast.Attribute(value):
                return self.is_own(value) or self.is_object(value)
            case ast.Subscript(value, index):
                return self.is_own(value) and self._is_index(index)
            case ast.Call(ast.Name(name)):
                return self._is_programs(name) and not self._shows_an_answer(node)
            case ast.Call(ast.Attribute(base, method), arguments, keywords):
                if self.is_object(base):
                    return not any(self.mentions_an_answer(argument) for argument in _arguments(node))
                return method not in _METHODS and not arguments and not keywords and self.is_own(base)
        return False

    def is_answer(self, node: ast.expr) -> bool:
        """True where `node` comes to what the program has to know, and to no judgement of it."""
        match node:
            case _ if self.is_own(node):
                return True
            case ast.Name(name):
                return name in self.inputs or (name not in self.rebound and name not in BUILTINS)
            case ast.Attribute(value) | ast.Call(ast.Attribute(value, "keys" | "values" | "items"), [], []):
                return self.is_answer(value)
            case ast.Subscript(value, index):
                return self.is_answer(value) and self._is_index(index)
            case ast.Tuple(items) | ast.List(items) | ast.Set(items):
                return bool(items) and all(self.is_answer(item) for item in items)
            case ast.ListComp(item, loops) | ast.SetComp(item, loops) | ast.GeneratorExp(item, loops):
                return self._collects([item], loops)
            case ast.DictComp(key, value, loops):
                return self._collects([key, value], loops)
            case ast.Call():
                return self._is_wrapper(node)
        return False

    def _is_wrapper(self, node: ast.Call) -> bool:
        match node:
            case ast.Call(ast.Name(name), arguments, []) if all(map(self._is_given, arguments)):
                return name not in self.rebound and name not in _EVALUATING
            case ast.Call(ast.Name("map"), [ast.Name(name), argument], []):
                return self._wraps(name) and self.is_answer(argument)
            case ast.Call(ast.Name("round"), [argument, digits], []):
                return self._wraps("round") and self.is_answer(argument) and self.is_constant(digits)
            case ast.Call(ast.Name(name), [argument], keywords):
                return self._wraps(name) and self.is_answer(argument) and all(map(self._orders, keywords))
            case ast.Call(ast.Attribute(ast.Constant(str()), "join"), [argument], []):
                return self.is_answer(argument)
            case ast.Call(ast.Attribute(ast.Name(module), name), [argument], []):
                known = module in _MODULES and name in _WRAPPING_ATTRIBUTES
                bound = self.inputs | self.answers | self.objects | self.unclear
                return known and module not in bound and self.is_answer(argument)
            case ast.Call(ast.Attribute(base, method), [], []):
                return method in _METHODS and not method.startswith(("is", "__")) and self.is_answer(base)
        return False

    def _is_given(self, argument: ast.expr) -> bool:
        return self.is_constant(argument.value if isinstance(argument, ast.Starred) else argument)

    def _wraps(self, name: str) -> bool:
        return name in _WRAPPERS and name not in self.rebound

    def _orders(self, keyword: ast.keyword) -> bool:
        """True for `reverse=True`, and for a `key` that takes its argument to pieces."""
        match keyword:
            case ast.keyword("reverse", value):
                return self.is_constant(value)
            case ast.keyword("key", ast.Name(name)):
                return self._wraps(name)
            case ast.keyword("key", ast.Lambda(ast.arguments([], [ast.arg(name)], None, [], [], None, []), body)):
                return replace(self, answers=self.answers | {name}).is_answer(body)
        return False

    def _collects(self, items: list[ast.expr], loops: list[ast.comprehension]) -> bool:
        scope = self
        for loop in loops:
            if loop.ifs or loop.is_async:
                return False
            names = {node.id for node in walk(loop.target) if isinstance(node, ast.Name)}
            if scope.is_constant(loop.iter) or not scope.mentions_an_answer(loop.iter):
                scope = replace(scope, inputs=scope.inputs | names, answers=scope.answers - names)
            elif scope.is_answer(loop.iter):
                scope = replace(scope, inputs=scope.inputs - names, answers=scope.answers | names)
            else:
                return False
        return all(scope.is_answer(item) for item in items)

    def _is_programs(self, name: str) -> bool:
        return name in self.answers or (name not in BUILTINS and name not in self.rebound and "*" not in self.rebound)

    def is_object(self, node: ast.expr) -> bool:
        """True for a class of the program's or an instance of one; a capital letter tells a class."""
        match node:
            case ast.Name(name):
                return name in self.objects or (name[:1].isupper() and self._is_programs(name))
            case ast.Call(ast.Name(name), arguments):
                shows = any(self.mentions_an_answer(argument) for argument in arguments)
                return name[:1].isupper() and self._is_programs(name) and not shows
        return False

    def _is_index(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Slice):
            return all(part is None or self.is_constant(part) for part in (node.lower, node.upper, node.step))
        return self.is_constant(node)

    def _shows_an_answer(self, call: ast.Call) -> bool:
        """True where a function is given an answer and something else, and so may be there to compare them."""
        arguments = _arguments(call)
        shown = [argument for argument in arguments if self.mentions_an_answer(argument)]
        return bool(shown) and (len(arguments) > 1 or not self.is_answer(shown[0]))

    def mentions_an_answer(self, node: ast.AST) -> bool:
        """True where anything below `node` came from the program."""
        for each in walk(node):
            match each:
                case ast.Name(name) if name in self.answers or name in self.unclear:
                    return True
                case ast.Call(ast.Name(name)) if self._is_programs(name) and not name[:1].isupper():
                    return True
                case ast.Call(ast.Attribute(base)) if self.is_object(base):
                    return True
        return False


def _arguments(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(keyword.value for keyword in call.keywords)]
