"""Text of strangers as people can read it on a page; templates escape it, `text.html` shows its parts."""

import re
import unicodedata
from dataclasses import dataclass

_MAY_BE_UNSEEN = re.compile(r"[^\t\n -~]")
_JOINERS = "\u200c\u200d"
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a text; `is_name` where it names a character that would not be seen, e.g. `U+202E`."""

    text: str
    is_name: bool = False


def visible(text: str) -> list[Part]:
    """`text` with every character that would not be seen, or would move others, replaced by its name.

    Controls, NUL, lone surrogates, bidirectional overrides, zero-width characters; joiners stay, emoji need them.
    """
    parts, plain_from = [], 0
    for found in _MAY_BE_UNSEEN.finditer(text):
        character = found.group()
        if character in _JOINERS or unicodedata.category(character) not in _UNSEEN:
            continue
        if plain_from < found.start():
            parts.append(Part(text[plain_from : found.start()]))
        parts.append(Part(f"U+{ord(character):04X}", is_name=True))
        plain_from = found.end()
    if plain_from < len(text):
        parts.append(Part(text[plain_from:]))
    return parts


def as_sentence(message: str) -> str:
    """An error's message with a capital and a full stop."""
    message = message[:1].upper() + message[1:]
    return message if message.endswith((".", "?", "!")) else f"{message}."
