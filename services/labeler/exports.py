"""Labels as others read them: JSONL records, TRL's stepwise supervision, Parquet.

Records go in and pieces of a file come out, so that a million of them pass through in constant memory.
"""

from collections.abc import Iterable, Iterator
from typing import Literal

from services.contracts import LabelRecord, TrlRecord

Format = Literal["jsonl", "trl", "parquet"]
MEDIA_TYPES: dict[Format, str] = {
    "jsonl": "application/x-ndjson",
    "trl": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}

_PIECE_CHARACTERS = 64 * 1024


def export(records: Iterable[LabelRecord], form: Format) -> Iterator[bytes]:
    """`records` as a file of `form`, piece by piece; a record that `form` can't express is left out."""
    if form == "parquet":
        from services.labeler.parquet import parquet

        return parquet(records)
    return _pieces(lines(records, form))


def lines(records: Iterable[LabelRecord], form: Literal["jsonl", "trl"]) -> Iterator[str]:
    """One JSON object a line, newline included."""
    for record in records:
        line = record if form == "jsonl" else to_trl(record)
        if line is not None:
            yield line.model_dump_json() + "\n"


def _pieces(texts: Iterable[str]) -> Iterator[bytes]:
    """Whole lines, many to a piece: each piece costs the server a change of threads."""
    waiting, characters = [], 0
    for text in texts:
        waiting.append(text)
        characters += len(text)
        if characters >= _PIECE_CHARACTERS:
            yield "".join(waiting).encode()
            waiting, characters = [], 0
    if waiting:
        yield "".join(waiting).encode()


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
