"""The label rules: what a verdict says about the steps of a program.

| program | steps before the change | the changed step | steps behind it |
| --- | --- | --- | --- |
| reference | positive | | |
| refactoring that passes | positive | positive | positive |
| refactoring that fails | positive | negative, if it is the only step that differs; else no labels | none |
| mutation that is killed | positive | negative | none |
| mutation that survives | no labels: it may be right after all | | |

Comments and blanks never have a label. Source: arXiv 2502.01715, as far as it says; docs/adr/0030-label-rules.md.
"""

from collections.abc import Mapping, Sequence

from services.contracts import Origin, Outcome, Segment, StepKind, StepLabel, split_steps
from services.labeler.candidates import Candidate


def label_steps(code: str, segment: Segment, *, wrong: int | None = None) -> list[StepLabel]:
    """Steps of kind code before step `wrong` are positive, `wrong` is negative, the rest has no label."""
    return [
        StepLabel(start=step.start, end=step.end, label=_label(step.index, step.kind, wrong))
        for step in split_steps(code, segment)
    ]


def _label(index: int, kind: StepKind, wrong: int | None) -> int | None:
    if index == wrong:
        return 0
    return 1 if kind is StepKind.CODE and (wrong is None or index < wrong) else None


def candidate_labels(candidate: Candidate, outcome: Outcome, segment: Segment) -> list[StepLabel] | None:
    """The labels that an outcome gives to a candidate's steps, or None where it gives none."""
    if outcome is Outcome.KILLED and (candidate.origin is Origin.MUTATION or candidate.blamable):
        return label_steps(candidate.code, segment, wrong=candidate.changed_step)
    if outcome is Outcome.SURVIVED and candidate.origin is Origin.REFACTORING:
        return label_steps(candidate.code, segment)
    return None


def soften(steps: Sequence[StepLabel], soft: Mapping[int, float]) -> list[StepLabel]:
    """`steps` with the soft labels of those whose index has one."""
    return [
        step.model_copy(update={"soft_label": soft[index]}) if index in soft else step
        for index, step in enumerate(steps)
    ]
