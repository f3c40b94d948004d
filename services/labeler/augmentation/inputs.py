"""New calls for a problem, in place of the ones that its tests make."""

from collections import defaultdict
from collections.abc import Sequence
from random import Random
from typing import Any

from services.labeler.augmentation.calls import LiteralCall
from services.labeler.augmentation.domain import Domain, linked_lengths
from services.labeler.augmentation.values import mutate

_ATTEMPTS_FOR_EACH = 20
_LONGEST_SOURCE = 2000


def new_expressions(calls: Sequence[LiteralCall], count: int, random: Random) -> list[str]:
    """Up to `count` different expressions, none of them one of `calls`."""
    families = defaultdict(list)
    for call in calls:
        families[call.function, len(call.values)].append(call)
    makers = {key: _Maker(family) for key, family in families.items()}
    seen = {call.expression(call.values) for call in calls}
    found: list[str] = []
    for _ in range(_ATTEMPTS_FOR_EACH * count if calls else 0):
        call = random.choice(calls)
        expression = makers[call.function, len(call.values)].make(call, random)
        if expression not in seen and len(expression) <= _LONGEST_SOURCE:
            seen.add(expression)
            found.append(expression)
        if len(found) == count:
            break
    return found


class _Maker:
    """Mutates the calls of one function, knowing what all its examples have in common."""

    def __init__(self, calls: Sequence[LiteralCall]) -> None:
        rows = [call.values for call in calls]
        self._domains = [Domain.of(column) for column in zip(*rows, strict=True)]
        self._links = linked_lengths(rows)
        self._free = [index for index in range(len(self._domains)) if index not in self._links]

    def make(self, call: LiteralCall, random: Random) -> str:
        """`call` with one argument or more mutated; an argument that counts another's items goes on doing so."""
        values: list[Any] = list(call.values)
        most = len(self._free)
        for index in random.sample(self._free, random.randint(min(1, most), most)):
            values[index] = mutate(values[index], self._domains[index], random)
        for count, sized in self._links.items():
            values[count] = len(values[sized])
        return call.expression(values)
