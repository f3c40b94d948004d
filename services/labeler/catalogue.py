"""Every rule by name, as `linewise operators` lists them."""

from collections.abc import Iterator
from dataclasses import dataclass

from services.contracts import Origin
from services.labeler.candidates import RULES
from services.labeler.rule import Rule


@dataclass(frozen=True, slots=True)
class Entry:
    """A rule: what it does, what that may break, and one program `before` and `after` it."""

    kind: Origin
    name: str
    does: str
    may_break: str
    before: str
    after: str


def catalogue() -> Iterator[Entry]:
    """The mutation operators, then the refactorings, each in the order in which a place is offered to them."""
    for kind in (Origin.MUTATION, Origin.REFACTORING):
        for rule in RULES[kind]:
            yield _entry(kind, rule)


def _entry(kind: Origin, rule: Rule) -> Entry:
    example = next(example for example in rule.examples if example.after)
    does = (type(rule).__doc__ or "").partition("\n")[0]
    return Entry(kind, rule.name, does, rule.may_break, example.before, example.after[0])
