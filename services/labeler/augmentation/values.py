"""Mutates a Python value by its type, inside a domain."""

from collections.abc import Callable
from random import Random
from typing import Any

from services.labeler.augmentation.domain import Domain


def mutate(value: Any, domain: Domain, random: Random) -> Any:
    """A value of the same type, near `value`; a type that has no rule comes back as it is."""
    changed = _change(value, domain, random, outermost=True)
    if domain.sorted and isinstance(changed, list | tuple):
        return type(value)(sorted(changed))
    return changed


def _change(value: Any, domain: Domain, random: Random, *, outermost: bool = False) -> Any:
    """Lists grow and shrink at the outside only: inside, one length may depend on another (the rows of a matrix)."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return _integer(value, domain, random)
    if isinstance(value, float):
        return _float(value, domain, random)
    if isinstance(value, str):
        return _string(value, domain, random)
    if isinstance(value, list):
        return _list(value, domain, random) if outermost else _with_one_changed(value, domain, random)
    if isinstance(value, tuple):
        return tuple(_with_one_changed(list(value), domain, random))
    if isinstance(value, set | frozenset):
        return type(value)(_with_one_changed(sorted(value, key=repr), domain, random))
    if isinstance(value, dict):
        keys = list(value)
        return dict(zip(keys, _with_one_changed(list(value.values()), domain, random), strict=True))
    return value


def _integer(value: int, domain: Domain, random: Random) -> int:
    low, high = int(domain.lowest), int(domain.highest)
    near = random.choice([value - 1, value + 1, value + random.randint(-5, 5), random.randint(low, high)])
    return min(max(near, low), high)


def _float(value: float, domain: Domain, random: Random) -> float:
    near = random.choice([value * random.uniform(0.5, 1.5), random.uniform(domain.lowest, domain.highest)])
    return round(float(min(max(near, domain.lowest), domain.highest)), 2)


def _string(value: str, domain: Domain, random: Random) -> str:
    characters = list(value)
    _reshape(characters, domain, random, lambda: random.choice(domain.alphabet or "a"))
    return "".join(characters)


def _list(value: list[Any], domain: Domain, random: Random) -> list[Any]:
    if not value:
        return value
    items = list(value)
    _reshape(items, domain, random, lambda: _change(random.choice(value), domain, random))
    return items


def _reshape(items: list[Any], domain: Domain, random: Random, another: Callable[[], Any]) -> None:
    """Put an item in, take one out, exchange one, repeat one, or let two change places."""
    at = random.randrange(len(items)) if items else 0
    change = random.choice(["replace", "replace", "insert", "repeat", "remove", "swap"])
    if change == "remove" and len(items) > max(1, domain.shortest):
        del items[at]
    elif not items or (change == "insert" and len(items) < domain.longest):
        items.insert(at, another())
    elif change == "repeat":
        items[at] = random.choice(items)
    elif change == "swap":
        other = random.randrange(len(items))
        items[at], items[other] = items[other], items[at]
    else:
        items[at] = another()


def _with_one_changed(items: list[Any], domain: Domain, random: Random) -> list[Any]:
    if items:
        at = random.randrange(len(items))
        items[at] = _change(items[at], domain, random)
    return items
