"""The grammar of a problem spec: `name[:selection][?option=value&...]`.

    mbpp   mbpp:601-974   mbpp:1-100,501-600?shown=2   mbpp-plus:1-100   humaneval:0-19   lists:train?count=400&seed=1
    tasks.jsonl

Leaves out what the names and options mean: that is `loading`'s.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qsl

from trainer.problems.errors import UnknownSpecError

_SPEC = re.compile(r"(?P<name>[a-z-]+)(?::(?P<selection>[^?]*))?(?:\?(?P<options>.*))?")


@dataclass(frozen=True)
class Spec:
    """A spec taken apart; `text` is the whole of it, for messages."""

    text: str
    name: str
    selection: str | None
    options: dict[str, str]

    def integer(self, option: str, default: int, *, least: int = 0, most: int | None = None) -> int:
        """An option as a number; raises UnknownSpecError outside `least`..`most`."""
        value = self.options.get(option, str(default))
        wanted = f"{option} must be a number from {least}" + (f" to {most}" if most is not None else " up")
        if not re.fullmatch(r"\d+", value) or int(value) < least or (most is not None and int(value) > most):
            raise UnknownSpecError(f"{self.text!r}: {wanted}, not {value!r}")
        return int(value)

    def expect_options(self, known: Iterable[str]) -> None:
        """Raise UnknownSpecError for an option that is not `known`: a misspelt one must not be silence."""
        known = list(known)
        for option in self.options:
            if option not in known:
                raise UnknownSpecError(f"{self.text!r}: no option {option!r}; there are {', '.join(known)}")


def parse_spec(text: str) -> Spec | None:
    """Take a spec apart; None where the text has not its form (and so can only be a path)."""
    found = _SPEC.fullmatch(text)
    if not found:
        return None
    options = dict(parse_qsl(found["options"] or "", keep_blank_values=True))
    return Spec(text, found["name"], found["selection"], options)


def parse_ranges(text: str, *, first: int, last: int) -> list[int]:
    """`"3,10-12"` as `[3, 10, 11, 12]`, in the order written and each number once.

    Raises:
        UnknownSpecError: not of that form, or a number outside `first`..`last`.
    """
    numbers: dict[int, None] = {}
    for part in text.split(","):
        found = re.fullmatch(r"(\d+)(?:-(\d+))?", part.strip())
        if not found:
            raise UnknownSpecError(f"{part!r} is no id and no range such as {first}-{last}")
        low, high = int(found[1]), int(found[2] or found[1])
        if not first <= low <= high <= last:
            raise UnknownSpecError(f"{part!r}: ids go from {first} to {last}")
        numbers.update(dict.fromkeys(range(low, high + 1)))
    return list(numbers)
