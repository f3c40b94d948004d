"""A parsed program and the edits that rules make to it.

An edit replaces spans of the source text, found through LibCST, so whatever lies outside them stays as it was, byte
for byte. Spans count Unicode code points and leave out a node's own parentheses and the white space around it.
"""

import builtins
import keyword
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import libcst as cst
from libcst import BatchableCSTVisitor
from libcst.metadata import (
    Assignment,
    ByteSpanPositionProvider,
    FunctionScope,
    MetadataWrapper,
    Scope,
    ScopeProvider,
)

_WHITE_SPACE = frozenset(
    {cst.SimpleWhitespace, cst.ParenthesizedWhitespace, cst.TrailingWhitespace, cst.EmptyLine, cst.Newline}
)
"""Half of a program's nodes."""
_NEVER_CHANGED = _WHITE_SPACE | {cst.Annotation, cst.Decorator, cst.Import, cst.ImportFrom, cst.Global, cst.Nonlocal}
_READS_ALL_NAMES = frozenset({"locals", "globals", "vars", "eval", "exec"})


@dataclass(frozen=True, slots=True)
class Span:
    """`code[start:end]`."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Splice:
    """`code[start:end]` becomes `text`."""

    start: int
    end: int
    text: str


Edit = tuple[Splice, ...]
"""Splices that belong together, in source order, none overlapping another."""


def apply(code: str, edit: Edit) -> str:
    """`code` with every splice of `edit` done."""
    for splice in reversed(edit):
        code = code[: splice.start] + splice.text + code[splice.end :]
    return code


class _Wrapper(MetadataWrapper):
    """Shows each provider the module and no more: those that are used here walk from there, and need no second walk."""

    def visit_batched(self, visitors: Iterable[BatchableCSTVisitor], *_: object) -> cst.Module:
        for visitor in visitors:
            with visitor.resolve(self):
                visitor.visit_Module(self.module)
        return self.module


class Program:
    """Source text with its LibCST tree, spans, parents and scopes.

    Raises:
        libcst.ParserSyntaxError: LibCST can't read `code`.
    """

    def __init__(self, code: str) -> None:
        self.code = code
        self._wrapper = _Wrapper(cst.parse_module(code), unsafe_skip_copy=True)
        self._byte_spans = self._wrapper.resolve(ByteSpanPositionProvider)
        self._children: dict[cst.CSTNode, list[cst.CSTNode]] = {}
        self._offsets = None if code.isascii() else _code_point_offsets(code)

    @property
    def module(self) -> cst.Module:
        return self._wrapper.module

    def walk(self) -> Iterator[cst.CSTNode]:
        """Every node that a rule may change, in source order: no annotation, decorator, import or white space."""
        return self.descendants(self.module)

    def descendants(self, root: cst.CSTNode) -> Iterator[cst.CSTNode]:
        """`root` and the nodes below it that a rule may change, in source order."""
        waiting = [root]
        while waiting:
            node = waiting.pop()
            yield node
            waiting += reversed(self._changeable_children(node))

    def _changeable_children(self, node: cst.CSTNode) -> list[cst.CSTNode]:
        if node not in self._children:
            self._children[node] = [child for child in node.children if type(child) not in _NEVER_CHANGED]
        return self._children[node]

    def parent(self, node: cst.CSTNode) -> cst.CSTNode:
        """What a node that a rule may change stands in."""
        return self._parents[node]

    @cached_property
    def _parents(self) -> dict[cst.CSTNode, cst.CSTNode]:
        return {child: node for node in self.walk() for child in self._changeable_children(node)}

    def span(self, node: cst.CSTNode) -> Span:
        """Where `node` stands, its own parentheses left out."""
        found = self._byte_spans[node]
        start, end = found.start, found.start + found.length
        return Span(start, end) if self._offsets is None else Span(self._offsets[start], self._offsets[end])

    def outer_span(self, node: cst.BaseExpression) -> Span:
        """Where `node` stands, its own parentheses included."""
        if not node.lpar:
            return self.span(node)
        return Span(self.span(node.lpar[0]).start, self.span(node.rpar[-1]).end)

    def text(self, node: cst.CSTNode) -> str:
        span = self.span(node)
        return self.code[span.start : span.end]

    def outer_text(self, node: cst.BaseExpression) -> str:
        span = self.outer_span(node)
        return self.code[span.start : span.end]

    def replace(self, node: cst.CSTNode, text: str) -> Edit:
        """The edit that puts `text` in the place of `node`, kept apart from a word that would touch it."""
        span = self.span(node)
        before, behind = self.code[: span.start][-1:], self.code[span.end :][:1]
        gap_before = " " if _is_word(before) and _is_word(text[:1]) else ""
        gap_behind = " " if _is_word(text[-1:]) and _is_word(behind) else ""
        return (Splice(span.start, span.end, f"{gap_before}{text}{gap_behind}"),)

    def indentation(self, statement: cst.CSTNode) -> str | None:
        """The white space before a statement, or None where no other can stand before it (`elif`, one-line suites)."""
        start = self.span(statement).start
        before = self.code[self.code.rfind("\n", 0, start) + 1 : start]
        return None if before.strip() or self.code.startswith("elif", start) else before

    @cached_property
    def indent(self) -> str:
        """One level of indentation, as most of this program has it."""
        return self.module.default_indent

    def names_outside(self, root: cst.CSTNode) -> set[str]:
        """Every identifier in the text that does not stand inside `root`."""
        inside = self.span(root)
        names = ((node, self.span(node)) for node in self._byte_spans if isinstance(node, cst.Name))
        return {node.value for node, span in names if not inside.start <= span.start < inside.end}

    @cached_property
    def names(self) -> frozenset[str]:
        """Every identifier in the text, attributes and keywords of calls among them."""
        return frozenset(node.value for node in self._byte_spans if isinstance(node, cst.Name))

    def fresh_name(self, *wishes: str) -> str:
        """The first of `wishes` that means nothing here yet, or the first with a number behind it."""
        taken = self.names | set(keyword.kwlist) | set(dir(builtins))
        numbered = (f"{wishes[0]}_{number}" for number in range(2, len(taken) + 3))
        return next(name for name in (*wishes, *numbered) if name not in taken)

    @cached_property
    def names_are_public(self) -> bool:
        """True where a name may be looked up by its text (`locals()`) or bound from afar: then none can be changed."""
        rebinding = any(isinstance(node, cst.Global | cst.Nonlocal) for node in self._byte_spans)
        return rebinding or bool(self.names & _READS_ALL_NAMES)

    def variables(self, scope: Scope) -> dict[str, list[Assignment]]:
        """A function's own variables and parameters, by name, in order of their first assignment."""
        found: dict[str, list[Assignment]] = {}
        for assignment in scope.assignments:
            if isinstance(assignment, Assignment) and isinstance(assignment.node, cst.Name | cst.Param):
                found.setdefault(assignment.name, []).append(assignment)
        return dict(sorted(found.items(), key=lambda item: min(self.span(a.node).start for a in item[1])))

    @cached_property
    def functions(self) -> list[FunctionScope]:
        """The scope of every function and lambda, in source order."""
        scopes = {scope for scope in self.scopes.values() if isinstance(scope, FunctionScope)}
        return sorted(scopes, key=lambda scope: self.span(scope.node).start)

    @cached_property
    def scopes(self) -> dict[cst.CSTNode, Scope]:
        """The scope of every node that has one."""
        found = self._wrapper.resolve(ScopeProvider)
        return {node: scope for node, scope in found.items() if isinstance(scope, Scope)}


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _code_point_offsets(code: str) -> dict[int, int]:
    """For each byte of the UTF-8 text at which a code point begins (or the text ends), that code point's index."""
    offsets, at = {}, 0
    for index, character in enumerate(code):
        offsets[at] = index
        at += len(character.encode())
    offsets[at] = len(code)
    return offsets
