"""The label rules, one program at a time."""

import pytest

from services.contracts import Origin, Outcome, Segment
from services.labeler.candidates import Candidate
from services.labeler.labels import candidate_labels, label_steps

CODE = "def f(a):\n    # why\n    b = a\n\n    return b\n"


def candidate(origin, *, blamable=True):
    return Candidate(origin, "operator", CODE, place=2, changed_step=2, blamable=blamable, competent=True)


def marks(steps):
    return None if steps is None else [step.label for step in steps]


def test_every_code_step_of_the_reference_is_positive():
    assert marks(label_steps(CODE, Segment.LINE)) == [1, None, 1, None, 1]


def test_spans_are_those_of_the_step_splitter():
    assert [CODE[step.start : step.end] for step in label_steps(CODE, Segment.STATEMENT)] == CODE.splitlines()


@pytest.mark.parametrize(
    ("origin", "outcome", "blamable", "expected"),
    [
        (Origin.MUTATION, Outcome.KILLED, True, [1, None, 0, None, None]),
        (Origin.MUTATION, Outcome.KILLED, False, [1, None, 0, None, None]),
        (Origin.MUTATION, Outcome.SURVIVED, True, None),
        (Origin.MUTATION, Outcome.INCOMPETENT, True, None),
        (Origin.REFACTORING, Outcome.SURVIVED, False, [1, None, 1, None, 1]),
        (Origin.REFACTORING, Outcome.KILLED, True, [1, None, 0, None, None]),
        (Origin.REFACTORING, Outcome.KILLED, False, None),
        (Origin.REFACTORING, Outcome.INCOMPETENT, True, None),
    ],
)
def test_an_outcome_labels_what_it_proves(origin, outcome, blamable, expected):
    assert marks(candidate_labels(candidate(origin, blamable=blamable), outcome, Segment.LINE)) == expected
