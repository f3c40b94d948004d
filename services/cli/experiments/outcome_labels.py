"""Labels for an outcome reward model: of a program its verdict alone, on its last line of code."""

from collections.abc import Iterable, Iterator

from services.contracts import LabelRecord, StepKind, Verdict, split_steps
from trainer.prm_golden import segment_of


def outcome_labels(records: Iterable[LabelRecord]) -> Iterator[LabelRecord]:
    """`records` with 1 on the last step of code where all tests pass, else 0, and no other label.

    Programs whose verdict is not known are left out.
    """
    for record in records:
        if record.verdict is None:
            continue
        label = int(record.verdict is Verdict.ACCEPTED)
        last = max(step.index for step in split_steps(record.code, segment_of(record)) if step.kind is StepKind.CODE)
        steps = [
            step.model_copy(update={"label": label if at == last else None, "soft_label": None})
            for at, step in enumerate(record.steps)
        ]
        yield record.model_copy(update={"steps": steps})
