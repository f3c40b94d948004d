"""Where the program is in what a policy wrote, and what a list of chat messages says.

A completion is prose around a fenced block, or code alone. The rule, for every dialect and every callable:

1. The prompt ends in an opened fence (its last line that is not blank opens one): the completion begins inside it, and
   the program ends before the line that closes the fence.
2. There are fenced blocks: the last one that says `python`, `python3` or `py`; where none does, the last one.
3. There is none: the whole text.

A fence is CommonMark's (https://spec.commonmark.org/0.31.2/#fenced-code-blocks): at least three backticks or tildes at
most three spaces in, closed by a line of at least as many of the same and nothing else. One that is never closed ends
with the text. Lines end at a newline. The program is one stretch of the text, so that its offsets are the text's.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_FENCE = re.compile(r" {0,3}(?P<marks>`{3,}|~{3,})(?P<info>.*)")
_PYTHON = frozenset({"python", "python3", "py"})


@dataclass(frozen=True, slots=True)
class _Block:
    """A fenced block's inside, `text[start:end]`; its end is not known yet while it is open."""

    start: int
    marks: str
    language: str
    end: int | None = None

    def closes_with(self, fence: re.Match[str]) -> bool:
        return fence["marks"].startswith(self.marks) and not fence["info"].strip()


def find_program(text: str, prompt: str = "") -> tuple[int, int]:
    """The span `(start, end)` of the program in `text`, which a policy wrote behind `prompt`."""
    if opened := _opened_by(prompt):
        inside = _blocks(text, opened)[0]
        return inside.start, _end_of(inside, text)
    blocks = _blocks(text)
    if not blocks:
        return 0, len(text)
    chosen = next((block for block in reversed(blocks) if block.language in _PYTHON), blocks[-1])
    return chosen.start, _end_of(chosen, text)


def read_program(text: str, prompt: str = "") -> str:
    """The program in `text`, which a policy wrote behind `prompt`."""
    start, end = find_program(text, prompt)
    return text[start:end]


def read_blocks(text: str) -> list[str]:
    """The insides of all fenced blocks that are closed and say `python`, `python3`, `py`, or no language."""
    blocks = [block for block in _blocks(text) if block.end is not None and block.language in _PYTHON | {""}]
    return [text[block.start : block.end] for block in blocks]


def read_text(value: str | Sequence[Mapping[str, Any]]) -> str:
    """A plain string as it is; of chat messages the texts, with a blank line between two of them.

    Raises:
        ValueError: a message holds something else than text.
    """
    return value if isinstance(value, str) else "\n\n".join(_message_text(message) for message in value)


def _message_text(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    if not isinstance(content, Iterable):
        raise ValueError("a message has no content")
    parts = list(content)
    if not all(isinstance(part, Mapping) and isinstance(part.get("text"), str) for part in parts):
        raise ValueError("a message holds something else than text")
    return "".join(part["text"] for part in parts)


def _opened_by(prompt: str) -> _Block | None:
    """The block that the prompt's last line opens, as one that `text` begins in."""
    blocks = _blocks(prompt)
    if not blocks or blocks[-1].end is not None or prompt[blocks[-1].start :].strip():
        return None
    return _Block(0, blocks[-1].marks, blocks[-1].language)


def _blocks(text: str, opened: _Block | None = None) -> list[_Block]:
    blocks: list[_Block] = []
    at = 0
    for line in text.split("\n"):
        fence = _FENCE.fullmatch(line.removesuffix("\r"))
        if fence and opened and opened.closes_with(fence):
            blocks.append(_Block(opened.start, opened.marks, opened.language, end=at))
            opened = None
        elif fence and opened is None and not ("`" in fence["marks"] and "`" in fence["info"]):
            language = next(iter(fence["info"].split()), "").lower()
            opened = _Block(min(at + len(line) + 1, len(text)), fence["marks"], language)
        at += len(line) + 1
    return [*blocks, opened] if opened else blocks


def _end_of(block: _Block, text: str) -> int:
    return len(text) if block.end is None else block.end
