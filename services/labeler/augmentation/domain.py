"""What the examples imply about valid arguments, so that new ones stay inside.

A first filter, not a contract: signs, ranges, alphabets, whether something may be empty, whether a list is sorted,
whether an integer is another argument's length. A bug that shows only outside of what the examples imply is missed.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

Number = int | float


@dataclass(frozen=True, slots=True)
class Domain:
    """What all examples of one argument have in common.

    `lowest` and `highest` bound its numbers at any depth; `alphabet` holds the characters of its strings;
    `shortest` and `longest` bound its own length; `sorted` is True where every example is an ordered list.
    """

    lowest: float
    highest: float
    alphabet: str
    shortest: int
    longest: int
    sorted: bool

    @classmethod
    def of(cls, examples: Sequence[Any]) -> "Domain":
        """The domain that `examples` of one argument imply."""
        leaves = [leaf for example in examples for leaf in _leaves(example)]
        numbers = [leaf for leaf in leaves if isinstance(leaf, Number) and not isinstance(leaf, bool)]
        lengths = [len(example) for example in examples if hasattr(example, "__len__")]
        low, high = min(numbers, default=0), max(numbers, default=0)
        return cls(
            lowest=_floor(low),
            highest=max(2 * high, high + 5),
            alphabet="".join(sorted({character for leaf in leaves if isinstance(leaf, str) for character in leaf})),
            shortest=0 if 0 in lengths else 1,
            longest=2 * max(lengths, default=0) + 2,
            sorted=bool(examples) and all(_is_ordered(example) for example in examples),
        )


def _floor(lowest: Number) -> Number:
    """Positive stays positive, not negative stays so, negative may double."""
    if lowest >= 1:
        return 1
    return min(0, 2 * lowest)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(key)
            yield from _leaves(item)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from _leaves(item)
    else:
        yield value


def _is_ordered(example: Any) -> bool:
    if not isinstance(example, list | tuple) or len(example) < 2:
        return False
    try:
        return all(one <= other for one, other in pairwise(example))
    except TypeError:
        return False


def linked_lengths(examples: Iterable[Sequence[Any]]) -> dict[int, int]:
    """For each argument that is another's length in every example: its index to that of the other."""
    rows = list(examples)
    width = min((len(row) for row in rows), default=0)
    links: dict[int, int] = {}
    for count in range(width):
        for sized in range(width):
            if rows and all(_is_length(row[count], row[sized]) for row in rows):
                links.setdefault(count, sized)
    return links


def _is_length(count: Any, sized: Any) -> bool:
    return type(count) is int and hasattr(sized, "__len__") and len(sized) == count
