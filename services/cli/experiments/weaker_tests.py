"""The labels that weaker tests would have given to the same programs.

A mutant that weak tests let pass survives them. What then becomes of its changed step is a rule: no label at all, as
our labeler has it, or a positive one, as the paper's "it passes, so it is right" has it. Mutants that survive the
strongest tests too are in no file, so under the paper's rule the true noise is larger still.
"""

from collections.abc import Iterable, Iterator, Set
from pathlib import Path
from typing import Literal

from services.contracts import LabelRecord, Origin
from trainer.problems.files import read_models, write_jsonl

Survivors = Literal["unlabelled", "positive"]
Key = tuple[str, str]


def killed(records: Iterable[LabelRecord]) -> set[Key]:
    """Problem and code of every mutant that the tests behind these labels found wrong."""
    return {(record.problem_id, record.code) for record in records if record.origin is Origin.MUTATION}


def relabelled(records: Iterable[LabelRecord], found: Set[Key], survivors: Survivors) -> Iterator[LabelRecord]:
    """`records` as tests would have labelled them that find only the mutants in `found`."""
    for record in records:
        if record.origin is not Origin.MUTATION or (record.problem_id, record.code) in found:
            yield record
        elif survivors == "positive":
            yield _passing(record)


def relabelled_file(strong: Path, found: Set[Key], survivors: Survivors, file: Path) -> Path:
    """The label file `strong` as weaker tests would have made it."""
    write_jsonl(file, relabelled(read_models(strong, LabelRecord), found, survivors))
    return file


def _passing(record: LabelRecord) -> LabelRecord:
    steps = [
        step.model_copy(update={"label": 1}) if index == record.changed_step else step
        for index, step in enumerate(record.steps)
    ]
    return record.model_copy(update={"steps": steps, "verdict": None, "killed_by": None})
