"""TRL's form of a label record, and the splits."""

import json
from collections import Counter
from io import BytesIO

import pyarrow.parquet as pq

from services.contracts import LabelRecord, Origin, StepLabel, split_steps
from services.labeler.exports import export, lines, to_trl
from services.labeler.splits import split_of


def record(code, labels):
    steps = [
        StepLabel(start=step.start, end=step.end, label=label, soft_label=None if label is None else 0.25)
        for step, label in zip(split_steps(code), labels, strict=True)
    ]
    return LabelRecord(problem_id="p", prompt="Do it.", code=code, origin=Origin.MUTATION, steps=steps)


def test_trl_gets_a_true_label_for_every_completion_and_nothing_behind_the_last():
    found = to_trl(record("a = 1\nb = 2\nc = 3\n", [1, 0, None]))
    assert (found.prompt, found.completions, found.labels) == ("Do it.\n", ["a = 1", "b = 2"], [True, False])


def test_a_step_without_a_label_joins_the_next_so_that_no_null_turns_true():
    code = "# first\n\na = 1\n# second\nb = 2\n# end\n"
    found = to_trl(record(code, [None, None, 1, None, 1, None]))
    assert found.completions == ["# first\n\na = 1", "# second\nb = 2"]
    assert found.labels == [True, True]
    assert code.startswith("\n".join(found.completions))


def test_a_record_without_labels_is_no_line_of_trl():
    records = [record("a = 1\n", [None]), record("a = 1\n", [1])]
    written = lines(records, "trl")
    assert [json.loads(line) for line in written] == [
        {"prompt": "Do it.\n", "completions": ["a = 1"], "labels": [True]}
    ]
    assert len(list(lines(records, "jsonl"))) == 2


def test_splits_are_stable_and_about_80_10_10():
    assert [split_of(name) for name in ("601", "608", "615")] == ["train", "validation", "test"]
    counts = Counter(split_of(str(number)) for number in range(10_000))
    assert 7_800 < counts["train"] < 8_200
    assert 850 < counts["validation"] < 1_150
    assert 850 < counts["test"] < 1_150


def many(count):
    return [record(f"a = {number}\nb = 'é😀\u2028'\n", [1, None if number % 3 else 0]) for number in range(count)]


def test_pieces_are_whole_lines_and_together_the_file():
    records = many(3_000)
    pieces = list(export(records, "jsonl"))
    assert 1 < len(pieces) < 60
    assert all(piece.endswith(b"\n") for piece in pieces)
    read = [LabelRecord.model_validate_json(line) for line in b"".join(pieces).split(b"\n")[:-1]]
    assert read == records
    assert list(export([], "jsonl")) == []


def test_parquet_holds_the_same_records_in_row_groups():
    records = many(4_500)
    pieces = list(export(records, "parquet"))
    file = pq.ParquetFile(BytesIO(b"".join(pieces)))
    assert (file.num_row_groups, len(pieces)) == (3, 4)
    assert [LabelRecord.model_validate(row) for row in file.read().to_pylist()] == records
    assert pq.ParquetFile(BytesIO(b"".join(export([], "parquet")))).metadata.num_rows == 0


def test_long_programs_make_shorter_row_groups():
    long = [record("x" * 1_000_000, [1])] * 9
    file = pq.ParquetFile(BytesIO(b"".join(export(long, "parquet"))))
    assert [file.metadata.row_group(at).num_rows for at in range(file.num_row_groups)] == [4, 4, 1]
