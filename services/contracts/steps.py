"""The one splitter of source text into steps, with exact character spans.

A *step* is a segment of a program that gets a score of its own: a physical line, a logical statement, or a block.
The splitter reads the text once from left to right and needs no parser, so it is total: CRLF, tabs, emoji, a
missing final newline and code that does not parse all have steps. What it leaves out: it does not judge whether
the text is Python; an unclosed bracket or triple quote runs to the end of the text, as it does in Python's own
tokenizer.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

_NEWLINE = re.compile(r"\r\n|\n|\r")
_NOTABLE = re.compile(r"[#\\()\[\]{}\"']")
_STRING_OPENING = re.compile(r"\"\"\"|'''|\"|'")
_CLOSING = {"'''": re.compile(r"\\.|'''", re.DOTALL), '"""': re.compile(r"\\.|\"\"\"", re.DOTALL)}


class Segment(StrEnum):
    """How a program is cut into steps.

    `line`: one physical line a step. `statement`: one logical line a step (brackets, triple-quoted strings and
    backslashes join physical lines). `block`: a run of statements at one indentation, with the comments and blank
    lines between them.
    """

    LINE = "line"
    STATEMENT = "statement"
    BLOCK = "block"


class StepKind(StrEnum):
    """Only `code` steps are scored; a comment's or a blank's score is null."""

    CODE = "code"
    COMMENT = "comment"
    BLANK = "blank"


@dataclass(frozen=True, slots=True)
class Step:
    """A step: `code[start:end]` is its text, its newline not included.

    `start` and `end` count Unicode code points, `first_line` and `last_line` count from 1, `index` from 0.
    """

    index: int
    start: int
    end: int
    first_line: int
    last_line: int
    kind: StepKind


def split_steps(code: str, segment: Segment = Segment.LINE) -> list[Step]:
    """Cut `code` into steps, in order; only newlines (`\\n`, `\\r\\n`, `\\r`) lie between two of them.

    Every character that is not such a newline belongs to exactly one step, so
    `"\\n".join(code[s.start : s.end] for s in steps)` is `code` with its newlines normalised. A newline at the very
    end opens no further step; empty code has none.
    """
    if segment is Segment.LINE and not _may_span_lines(code):
        return _lone_lines(code)
    if segment is Segment.LINE:
        groups = [[line] for statement in _statements(code) for line in statement]
    elif segment is Segment.STATEMENT:
        groups = list(_statements(code))
    else:
        groups = list(_blocks(code))
    return [
        Step(index, group[0].start, group[-1].end, group[0].number, group[-1].number, _kind_of(group))
        for index, group in enumerate(groups)
    ]


@dataclass(frozen=True, slots=True)
class _Line:
    """A physical line without its newline; `number` counts from 1."""

    start: int
    end: int
    number: int
    kind: StepKind
    indentation: str


def _may_span_lines(code: str) -> bool:
    """Whether a string could run over the end of a line: in all other code a line's kind is its own affair."""
    return '"""' in code or "'''" in code


def _lone_lines(code: str) -> list[Step]:
    return [
        Step(number - 1, start, end, number, number, _lone_kind(code[start:end]))
        for number, (start, end) in enumerate(_spans(code), start=1)
    ]


def _kind_of(lines: list[_Line]) -> StepKind:
    kinds = {line.kind for line in lines}
    for kind in (StepKind.CODE, StepKind.COMMENT):
        if kind in kinds:
            return kind
    return StepKind.BLANK


def _spans(code: str) -> Iterator[tuple[int, int]]:
    start = 0
    for newline in _NEWLINE.finditer(code):
        yield start, newline.start()
        start = newline.end()
    if start < len(code):
        yield start, len(code)


def _statements(code: str) -> Iterator[list[_Line]]:
    """Group physical lines into logical ones; a blank or comment line outside a statement is a group of its own."""
    scanner = _Scanner()
    group: list[_Line] = []
    for number, (start, end) in enumerate(_spans(code), start=1):
        text = code[start:end]
        kind = StepKind.CODE if scanner.inside_string else _lone_kind(text)
        scanner.read(text)
        indentation = text[: len(text) - len(text.lstrip())]
        group.append(_Line(start, end, number, kind, indentation))
        if not scanner.inside_statement:
            yield group
            group = []
    if group:
        yield group


def _lone_kind(text: str) -> StepKind:
    stripped = text.strip()
    if not stripped:
        return StepKind.BLANK
    return StepKind.COMMENT if stripped.startswith("#") else StepKind.CODE


def _blocks(code: str) -> Iterator[list[_Line]]:
    """Join neighbouring statements of one indentation, and what lies between them."""
    block: list[_Line] = []
    between: list[list[_Line]] = []
    for statement in _statements(code):
        if _kind_of(statement) is not StepKind.CODE:
            between.append(statement)
        elif block and statement[0].indentation == block[0].indentation:
            block.extend(line for group in [*between, statement] for line in group)
            between = []
        else:
            yield from filter(None, [block, *between])
            block, between = list(statement), []
    yield from filter(None, [block, *between])


class _Scanner:
    """Knows, after each line, whether a bracket, a triple-quoted string or a backslash is still open."""

    def __init__(self) -> None:
        self._depth = 0
        self._quote: str | None = None
        self._continued = False

    @property
    def inside_string(self) -> bool:
        return self._quote is not None

    @property
    def inside_statement(self) -> bool:
        return self._depth > 0 or self._quote is not None or self._continued

    def read(self, line: str) -> None:
        self._continued = False
        at = 0
        while at < len(line):
            at = self._leave_string(line, at) if self._quote else self._read_code(line, at)

    def _leave_string(self, line: str, at: int) -> int:
        assert self._quote is not None
        while found := _CLOSING[self._quote].search(line, at):
            at = found.end()
            if found.group() == self._quote:
                self._quote = None
                return at
        return len(line)

    def _read_code(self, line: str, at: int) -> int:
        notable = _NOTABLE.search(line, at)
        if notable is None:
            return len(line)
        at, character = notable.start(), notable.group()
        if character == "#":
            return len(line)
        if character == "\\" and at == len(line) - 1:
            self._continued = True
        elif character in "([{":
            self._depth += 1
        elif character in ")]}":
            self._depth = max(0, self._depth - 1)
        elif opening := _STRING_OPENING.match(line, at):
            if len(opening.group()) == 3:
                self._quote = opening.group()
                return opening.end()
            return self._skip_short_string(line, at)
        return at + 1

    def _skip_short_string(self, line: str, at: int) -> int:
        """The index behind a one-line string; one that is never closed ends with its line."""
        quote, at = line[at], at + 1
        while at < len(line):
            if line[at] == "\\":
                if at == len(line) - 1:
                    self._continued = True
                at += 2
            elif line[at] == quote:
                return at + 1
            else:
                at += 1
        return at
