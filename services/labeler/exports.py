"""Labels as others read them: JSONL records, and TRL's stepwise supervision."""

from collections.abc import Iterable, Iterator
from typing import Literal

from services.contracts import LabelRecord, TrlRecord

Format = Literal["jsonl", "trl"]


def export(records: Iterable[LabelRecord], form: Format) -> Iterator[str]:
    """One JSON object a line, newline included; a record that `form` can't express is left out."""
    for record in records:
        line = record if form == "jsonl" else to_trl(record)
        if line is not None:
            yield line.model_dump_json() + "\n"


def to_trl(record: LabelRecord) -> TrlRecord | None:
    """`record` in TRL's form, or None where none of its steps has a label.

    TRL wants a label for every completion. A step without one (a comment, a blank line) joins the next that has one,
    with the newline between them, so that the text stays the same; what follows the last label is cut off. The prompt
    ends in a newline, which makes TRL's input the one of `services.contracts.prm_layout`.
    """
    completions, labels, waiting = [], [], []
    for step in record.steps:
        waiting.append(record.code[step.start : step.end])
        if step.label is not None:
            completions.append("\n".join(waiting))
            labels.append(step.label == 1)
            waiting = []
    return TrlRecord(prompt=record.prompt + "\n", completions=completions, labels=labels) if labels else None
