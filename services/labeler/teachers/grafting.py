"""Carries the change in a program that a model wrote over to the reference's own text.

A model that is asked to change one line also tidies the white space, drops comments, and adds some ("# wrong here"),
from which a reward model would learn to read the answer. So the two programs are compared line by line as tokens, and
only lines that differ are taken over, with the reference's indentation and without new comments. All else stays the
reference's, byte for byte.
"""

import io
import tokenize
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from services.labeler.bytecode import essence

_LAYOUT = frozenset({tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER})


@dataclass(frozen=True, slots=True)
class Graft:
    """The reference with the change in it, which begins at `start` in the reference."""

    code: str
    start: int


@dataclass(frozen=True, slots=True)
class _Line:
    """A line with code on it: `row` counts from 0, `depth` is that of its block, `opens` a logical line.

    `text` is without the comment at its end.
    """

    row: int
    depth: int
    opens: bool
    tokens: tuple[str, ...]
    text: str

    @property
    def meaning(self) -> tuple[int, tuple[str, ...]]:
        return self.depth if self.opens else -1, self.tokens


def graft(reference: str, written: str, indent: str = "    ") -> Graft | None:
    """`reference` with what is different in `written`, or None where that is nothing or `written` does not compile."""
    old, new = _lines(reference), _lines(written)
    if not old or not new or essence(written) is None:
        return None
    matcher = SequenceMatcher(None, [line.meaning for line in old], [line.meaning for line in new], autojunk=False)
    changes = [change for kind, *spans in matcher.get_opcodes() if kind != "equal" for change in _paired(*spans)]
    if not changes:
        return None
    rows = reference.split("\n")
    for first, last, new_first, new_last in reversed(changes):
        texts = [_indented(line, old, last, indent) for line in new[new_first:new_last]]
        start, end = _rows(old, first, last)
        rows[start:end] = texts
    code = "\n".join(rows)
    grafted = _lines(code)
    if not grafted or [line.meaning for line in grafted] != [line.meaning for line in new]:
        return None
    at = _rows(old, changes[0][0], changes[0][1])[0]
    return Graft(code, min(len(reference), sum(len(row) + 1 for row in reference.split("\n")[:at])))


def _paired(first: int, last: int, new_first: int, new_last: int) -> list[tuple[int, int, int, int]]:
    """As many lines for as many are taken one by one, so that what stands between them stays."""
    if last - first != new_last - new_first:
        return [(first, last, new_first, new_last)]
    return [(first + n, first + n + 1, new_first + n, new_first + n + 1) for n in range(last - first)]


def _rows(lines: Sequence[_Line], first: int, last: int) -> tuple[int, int]:
    """The rows of `lines[first:last]`; of none of them, the place behind the line before."""
    if first < last:
        return lines[first].row, lines[last - 1].row + 1
    behind = lines[first - 1].row + 1 if first else lines[0].row
    return behind, behind


def _indented(line: _Line, old: Sequence[_Line], before: int, indent: str) -> str:
    """The line's text with the white space that the reference has at its depth, looking backwards first."""
    if not line.opens:
        return line.text
    near = [*reversed(old[:before]), *old[before:]]
    same = next((other for other in near if other.opens and other.depth == line.depth), None)
    text = line.text.lstrip()
    if same is None:
        deepest = max((other for other in old if other.opens), key=lambda other: other.depth)
        return _margin(deepest) + indent * (line.depth - deepest.depth) + text
    return _margin(same) + text


def _margin(line: _Line) -> str:
    return line.text[: len(line.text) - len(line.text.lstrip())]


def _lines(code: str) -> list[_Line] | None:
    """The lines of `code` that hold a token, or None where it has no tokens."""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(code).readline))
    except (tokenize.TokenError, SyntaxError):
        return None
    texts = code.split("\n")
    pieces: dict[int, list[str]] = {}
    depths: dict[int, tuple[int, bool]] = {}
    depth, opens = 0, True
    for token in tokens:
        row = token.start[0] - 1
        if token.type == tokenize.COMMENT:
            texts[row] = texts[row][: token.start[1]].rstrip()
        elif token.type in _LAYOUT:
            depth += (token.type == tokenize.INDENT) - (token.type == tokenize.DEDENT)
            opens = opens or token.type == tokenize.NEWLINE
        else:
            for offset, piece in enumerate(token.string.split("\n")):
                depths.setdefault(row + offset, (depth, opens and offset == 0))
                pieces.setdefault(row + offset, []).append(piece)
            opens = False
    return [_Line(row, *depths[row], tuple(found), texts[row]) for row, found in sorted(pieces.items())]
