"""Programs with several wrong lines, put together from programs with one.

Labels end at the first wrong step, for the tests say nothing of what stands behind it. A policy that errs in one line
often errs in another, and a PRM that never saw a line behind a wrong one can't tell which lines to blame. So of a
reference and its programs that differ from it in one step alone the changed steps of several are put into one program,
and each step keeps the label that its own test gave it. What this takes for granted: that a step is right or wrong in
the same way whether or not the others are.
"""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from services.contracts import LabelRecord, Origin, StepLabel

OPERATOR = "composed"
_SHARE = 0.4
"""Of the steps that have another text, how many take one."""


@dataclass(slots=True)
class _Solution:
    """A reference as the texts of its steps, and by step the other texts with their labels."""

    record: LabelRecord
    others: dict[int, list[tuple[str, int]]] = field(default_factory=dict)


def composed(records: Iterable[LabelRecord], per_problem: int, seed: int) -> list[LabelRecord]:
    """At most `per_problem` such programs of each reference among `records`; problem and seed decide, nothing else."""
    return [made for solution in _solutions(records) for made in _made(solution, per_problem, seed)]


def _solutions(records: Iterable[LabelRecord]) -> list[_Solution]:
    kept = list(records)
    solutions: dict[str, list[_Solution]] = {}
    for record in kept:
        if record.origin is Origin.REFERENCE:
            solutions.setdefault(record.problem_id, []).append(_Solution(record))
    for record in kept:
        for solution in solutions.get(record.problem_id, []):
            if change := _only_change(solution.record, record):
                step, text, label = change
                solution.others.setdefault(step, []).append((text, label))
    return [solution for each in solutions.values() for solution in each]


def _only_change(reference: LabelRecord, record: LabelRecord) -> tuple[int, str, int] | None:
    """The one step in which `record` differs from `reference`, its text and label; None where it is not one."""
    if len(record.steps) != len(reference.steps):
        return None
    before, after = _texts(reference), _texts(record)
    differing = [index for index, (one, other) in enumerate(zip(before, after, strict=True)) if one != other]
    if len(differing) != 1 or (label := record.steps[differing[0]].label) is None:
        return None
    return differing[0], after[differing[0]], label


def _made(solution: _Solution, count: int, seed: int) -> Iterator[LabelRecord]:
    """Each with at least two steps that are not the reference's, no two of them the same."""
    if len(solution.others) < 2:
        return
    draw = random.Random(f"{seed}/{solution.record.problem_id}/{solution.record.code}")
    codes = set()
    for _ in range(count):
        changed = [step for step in sorted(solution.others) if draw.random() < _SHARE]
        if len(changed) < 2:
            changed = sorted(draw.sample(sorted(solution.others), 2))
        record = _with_changes(solution.record, {step: draw.choice(solution.others[step]) for step in changed})
        if record.code not in codes:
            codes.add(record.code)
            yield record


def _with_changes(reference: LabelRecord, changes: dict[int, tuple[str, int]]) -> LabelRecord:
    pieces: list[str] = []
    steps: list[StepLabel] = []
    at = length = 0
    for index, step in enumerate(reference.steps):
        text, label = changes.get(index, (reference.code[step.start : step.end], step.label))
        between = reference.code[at : step.start]
        pieces += [between, text]
        start = length + len(between)
        at, length = step.end, start + len(text)
        steps.append(StepLabel(start=start, end=length, label=label))
    return LabelRecord(
        problem_id=reference.problem_id,
        prompt=reference.prompt,
        code="".join(pieces) + reference.code[at:],
        origin=Origin.ROLLOUT,
        operator=OPERATOR,
        teacher=reference.teacher,
        changed_step=min(changes),
        steps=steps,
    )


def _texts(record: LabelRecord) -> Sequence[str]:
    return [record.code[step.start : step.end] for step in record.steps]
