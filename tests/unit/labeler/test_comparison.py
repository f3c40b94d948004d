"""Two sets of labels side by side, counted by hand."""

import pytest

from services.contracts import LabelRecord, Origin, StepLabel, split_steps
from services.labeler.comparison import Agreement, compare, gather, operator_rows

REFERENCE = "a = 1\nb = 2\nc = 3\n"


def record(code, labels, origin=Origin.REFERENCE, changed=None, operator=None, teacher="rules", soft=()):
    softs = [*soft, *[None] * (len(labels) - len(soft))]
    steps = [
        StepLabel(start=step.start, end=step.end, label=label, soft_label=share)
        for step, label, share in zip(split_steps(code), labels, softs, strict=True)
    ]
    return LabelRecord(
        problem_id="p",
        prompt="",
        code=code,
        origin=origin,
        operator=operator,
        changed_step=changed,
        teacher=teacher,
        steps=steps,
    )


def mutant(code, labels, changed, **fields):
    return record(code, labels, Origin.MUTATION, changed, "op", **fields)


A = [record(REFERENCE, [1, 1, 1]), mutant("a = 1\nb = 9\nc = 3\n", [1, 0, None], 1), mutant("a = 7\n", [0], 0)]
B = [record(REFERENCE, [1, 1, 1]), mutant("a = 1\nb = 9\nc = 3\n", [1, 1, 0], 1), mutant("a = 1\nb = 8\n", [1, 0], 1)]


def test_the_same_step_is_the_same_text_up_to_its_end():
    """Both label the three of the reference and `b = 9` behind `a = 1`; the other lines are of one side alone."""
    found = compare(gather(A).steps, gather(B).steps)
    assert found == Agreement(3, 0, 0, 1, only_a=1, only_b=2)
    assert found.agreement == pytest.approx(3 / 4)


def test_places_are_the_references_steps_negative_where_a_change_was_proved_wrong():
    """A broke the first and the second; B the second alone, for its other negative stands behind the change."""
    found = compare(gather(A).places, gather(B).places)
    assert found == Agreement(1, 1, 0, 1, only_a=0, only_b=0)
    assert found.kappa == pytest.approx((2 / 3 - 4 / 9) / (1 - 4 / 9))


def test_kappa_is_cohens():
    """The example of Cohen's kappa in many textbooks: 20 and 15 agree, 5 and 10 do not."""
    assert Agreement(20, 15, 5, 10, 0, 0).kappa == pytest.approx(0.4)


def test_kappa_and_agreement_say_nothing_where_there_is_nothing_to_say():
    assert (compare({}, {}).agreement, compare({}, {}).kappa) == (None, None)
    assert (compare({1: True}, {1: True}).agreement, compare({1: True}, {1: True}).kappa) == (1.0, None)


def test_a_step_that_one_side_labels_both_ways_is_disputed_and_left_out():
    both_ways = gather([mutant("a = 7\n", [0], 0), mutant("a = 7\nb = 2\n", [1, 1], 0)])
    assert len(both_ways.disputed) == 1
    assert compare(both_ways.steps, gather(A).steps).compared == 0


def test_with_a_threshold_soft_labels_come_before_hard_ones():
    rolled = [record(REFERENCE, [1, 1, 1], soft=(0.9, 0.5, 0.2))]
    hard, soft = gather(rolled), gather(rolled, threshold=0.5)
    assert list(hard.places.values()) == [True, True, True]
    assert list(soft.places.values()) == [True, False, False]


def test_labels_are_counted_for_each_teacher_and_operator():
    rows = {(teacher, operator): counts for teacher, operator, counts in operator_rows(gather(A))}
    assert set(rows) == {("rules", "reference"), ("rules", "op")}
    counts = rows["rules", "op"]
    assert (counts.programs, counts.positive, counts.negative, counts.unlabelled) == (2, 1, 2, 1)
