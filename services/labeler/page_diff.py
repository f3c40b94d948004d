"""A changed program against its reference, line by line, each line with the label of its step. It knows no HTML."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from services.contracts import split_steps
from services.kit.page_text import Part, visible

_CONTEXT_LINES = 3
_WHOLE_UP_TO_LINES = 16
_MOST_LINES = 120
_MOST_CHARACTERS = 600
_MOST_COMPARED = 400


@dataclass(frozen=True, slots=True)
class Line:
    """`kind`: same, gone (of the reference), new, or fold (`parts` then say what is left out).

    `number` counts the changed program's lines, the reference's for gone ones; `label` is 1, 0 or None, `soft` a
    share.
    """

    kind: str
    number: int | None
    parts: list[Part]
    label: int | None = None
    soft: float | None = None


def diff(reference: str, code: str, steps: Sequence[Sequence[Any]] | None) -> list[Line]:
    """All of a short program; of a long one the changes, and some lines around each."""
    before, after = (_lines(text) for text in (reference, code))
    labels = _labels_by_line(code, steps or ())
    rows = []
    for kind, at in _edits(before, after):
        text = before[at] if kind == "gone" else after[at]
        label, soft = (None, None) if kind == "gone" else labels[at]
        rows.append((kind, at + 1, text, label, soft))
    shown = _shown(rows)
    return [_fold(item) if isinstance(item, int) else _line(*item) for item in shown]


def _lines(code: str) -> list[str]:
    return [code[step.start : step.end] for step in split_steps(code)]


def _labels_by_line(code: str, steps: Sequence[Sequence[Any]]) -> list[tuple[int | None, float | None]]:
    """The label and the soft label of the step in which each line lies."""
    found, at = [], 0
    for line in split_steps(code):
        while at < len(steps) and steps[at][1] < line.start:
            at += 1
        inside = at < len(steps) and steps[at][0] <= line.start
        _, _, label, soft = (*steps[at], None, None)[:4] if inside else (0, 0, None, None)
        found.append((label, soft))
    return found


def _edits(before: list[str], after: list[str]) -> Iterator[tuple[str, int]]:
    """`("same" | "gone" | "new", index)`; what both begin and end with is not compared twice."""
    shorter = min(len(before), len(after))
    head = next((at for at in range(shorter) if before[at] != after[at]), shorter)
    tail = next((at for at in range(shorter - head) if before[-1 - at] != after[-1 - at]), shorter - head)
    yield from (("same", at) for at in range(head))
    middle_before, middle_after = before[head : len(before) - tail], after[head : len(after) - tail]
    if max(len(middle_before), len(middle_after)) > _MOST_COMPARED:
        opcodes = [("replace", 0, len(middle_before), 0, len(middle_after))]
    else:
        opcodes = list(SequenceMatcher(None, middle_before, middle_after, autojunk=False).get_opcodes())
    for tag, first, last, new_first, new_last in opcodes:
        if tag == "equal":
            yield from (("same", head + at) for at in range(new_first, new_last))
        else:
            yield from (("gone", head + at) for at in range(first, last))
            yield from (("new", head + at) for at in range(new_first, new_last))
    yield from (("same", at) for at in range(len(after) - tail, len(after)))


def _shown(rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...] | int]:
    """The rows to show, and in the place of each run of others its length."""
    if len(rows) <= _WHOLE_UP_TO_LINES:
        return list(rows)
    changed = [at for at, row in enumerate(rows) if row[0] != "same"] or [0]
    near = {at + by for at in changed for by in range(-_CONTEXT_LINES, _CONTEXT_LINES + 1)}
    shown: list[tuple[Any, ...] | int] = []
    taken = hidden = 0
    for at, row in enumerate(rows):
        if at in near and taken < _MOST_LINES:
            shown += [hidden] if hidden else []
            shown.append(row)
            taken, hidden = taken + 1, 0
        else:
            hidden += 1
    return [*shown, hidden] if hidden else shown


def _fold(lines: int) -> Line:
    return Line("fold", None, [Part(f"{lines:,} more line{'s' if lines > 1 else ''}")])


def _line(kind: str, number: int, text: str, label: int | None, soft: float | None) -> Line:
    return Line(kind, number, shortened(text), label, soft)


def shortened(text: str) -> list[Part]:
    """What people can read of a text; a very long one is cut, and says by how much."""
    more = len(text) - _MOST_CHARACTERS
    return visible(text) if more <= 0 else [*visible(text[:_MOST_CHARACTERS]), Part(f" … {more:,} characters more")]
