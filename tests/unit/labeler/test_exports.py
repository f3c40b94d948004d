"""TRL's form of a label record, and the splits."""

import json
from collections import Counter

from services.contracts import LabelRecord, Origin, StepLabel, split_steps
from services.labeler.exports import export, to_trl
from services.labeler.splits import split_of


def record(code, labels):
    steps = [
        StepLabel(start=step.start, end=step.end, label=label)
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
    lines = list(export(records, "trl"))
    assert [json.loads(line) for line in lines] == [{"prompt": "Do it.\n", "completions": ["a = 1"], "labels": [True]}]
    assert len(list(export(records, "jsonl"))) == 2


def test_splits_are_stable_and_about_80_10_10():
    assert [split_of(name) for name in ("601", "608", "615")] == ["train", "validation", "test"]
    counts = Counter(split_of(str(number)) for number in range(10_000))
    assert 7_800 < counts["train"] < 8_200
    assert 850 < counts["validation"] < 1_150
    assert 850 < counts["test"] < 1_150
