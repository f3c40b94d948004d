"""How far two sets of labels agree: on the very same steps, and on which steps of the references can be broken.

The *same step* is the same text up to its end, of the same problem: a label says nothing of what follows. Steps that a
set labels both ways are counted as `disputed` and left out. Teachers seldom write the same line, so beside it stand
the *places*: the code steps of the references that both know. A place is negative where the set has a negative at the
first changed step of a program there, or at the reference's own step; else it is positive.
"""

import hashlib
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from services.contracts import LabelRecord, Origin, StepLabel


@dataclass(frozen=True, slots=True)
class Agreement:
    """Counts of pairs of labels; `only_a` and `only_b` have a label on one side alone."""

    both_positive: int
    both_negative: int
    a_positive_b_negative: int
    a_negative_b_positive: int
    only_a: int
    only_b: int

    @property
    def compared(self) -> int:
        return self.both_positive + self.both_negative + self.a_positive_b_negative + self.a_negative_b_positive

    @property
    def agreement(self) -> float | None:
        """The share of pairs that are equal; None of no pairs."""
        return (self.both_positive + self.both_negative) / self.compared if self.compared else None

    @property
    def kappa(self) -> float | None:
        """Cohen's kappa; None where chance alone would agree always. https://doi.org/10.1177/001316446002000104"""
        if self.agreement is None:
            return None
        a_positive = (self.both_positive + self.a_positive_b_negative) / self.compared
        b_positive = (self.both_positive + self.a_negative_b_positive) / self.compared
        by_chance = a_positive * b_positive + (1 - a_positive) * (1 - b_positive)
        return None if by_chance == 1 else (self.agreement - by_chance) / (1 - by_chance)


@dataclass(slots=True)
class OperatorCounts:
    """Programs of one teacher and operator, and the labels of their steps."""

    programs: int = 0
    positive: int = 0
    negative: int = 0
    unlabelled: int = 0


@dataclass(slots=True)
class LabelSet:
    """One side of a comparison, gathered from its records; a label's text is kept as a hash."""

    operators: dict[tuple[str, str], OperatorCounts] = field(default_factory=dict)
    steps: dict[Hashable, bool] = field(default_factory=dict)
    places: dict[Hashable, bool] = field(default_factory=dict)
    broken: set[Hashable] = field(default_factory=set)
    disputed: set[Hashable] = field(default_factory=set)


def gather(records: Iterable[LabelRecord], threshold: float | None = None) -> LabelSet:
    """The labels in `records`; with `threshold` a soft label counts instead, positive where it is greater."""
    found = LabelSet()
    for record in records:
        operator = record.teacher, record.operator or str(record.origin)
        counts = found.operators.setdefault(operator, OperatorCounts())
        counts.programs += 1
        for index, step in enumerate(record.steps):
            positive = _is_positive(step, threshold)
            counts.positive += positive is True
            counts.negative += positive is False
            counts.unlabelled += positive is None
            if positive is not None:
                _note(found, record, index, positive)
    for key in found.disputed:
        del found.steps[key]
    found.places |= dict.fromkeys(found.broken & found.places.keys(), False)
    return found


def compare(a: Mapping[Hashable, bool], b: Mapping[Hashable, bool]) -> Agreement:
    """The labels of `a` beside those of `b`, True is positive."""
    pairs = Counter((a[key], b[key]) for key in a.keys() & b.keys())
    return Agreement(
        both_positive=pairs[True, True],
        both_negative=pairs[False, False],
        a_positive_b_negative=pairs[True, False],
        a_negative_b_positive=pairs[False, True],
        only_a=len(a.keys() - b.keys()),
        only_b=len(b.keys() - a.keys()),
    )


def operator_rows(labels: LabelSet) -> Iterator[tuple[str, str, OperatorCounts]]:
    """Teacher, operator and counts, the most programs first."""
    for (teacher, operator), counts in sorted(labels.operators.items(), key=lambda item: -item[1].programs):
        yield teacher, operator, counts


def _is_positive(step: StepLabel, threshold: float | None) -> bool | None:
    if threshold is not None and step.soft_label is not None:
        return step.soft_label > threshold
    return None if step.label is None else step.label == 1


def _note(found: LabelSet, record: LabelRecord, index: int, positive: bool) -> None:
    text = f"{record.problem_id}\0{record.code[: record.steps[index].end]}"
    key = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    if found.steps.setdefault(key, positive) != positive:
        found.disputed.add(key)
    place = record.problem_id, index
    if record.origin is Origin.REFERENCE:
        found.places[place] = positive
    elif index == record.changed_step and not positive:
        found.broken.add(place)
