"""Programs with several wrong lines: each line has the label that it had alone."""

from hypothesis import given
from hypothesis import strategies as st

from services.contracts import LabelRecord, Origin, Segment, StepKind, StepLabel, split_steps
from trainer.prm_composing import OPERATOR, composed

LINES = ["def f(xs):", "    xs = sorted(xs)", "    # half", "    xs = xs[:2]", "    return sum(xs)"]
OTHERS = {1: ("    xs = xs[::-1]", 0), 3: ("    xs = xs[:1]", 0), 4: ("    return sum(x for x in xs)", 1)}


def record(lines: list[str], labels: list[int | None], origin: Origin, changed: int | None = None) -> LabelRecord:
    code = "\n".join(lines) + "\n"
    spans = [(step.start, step.end) for step in split_steps(code, Segment.LINE)]
    return LabelRecord(
        problem_id="lists/1",
        prompt="p",
        code=code,
        origin=origin,
        changed_step=changed,
        steps=[StepLabel(start=at[0], end=at[1], label=label) for at, label in zip(spans, labels, strict=True)],
    )


def with_line(at: int) -> LabelRecord:
    text, label = OTHERS[at]
    labels = [1, 1, None, 1, 1] if label else [1 if step < at and step != 2 else None for step in range(5)]
    return record([*LINES[:at], text, *LINES[at + 1 :]], [*labels[:at], label, *labels[at + 1 :]], Origin.ROLLOUT, at)


REFERENCE = record(LINES, [1, 1, None, 1, 1], Origin.REFERENCE)
LONGER = record([*LINES[:4], "    xs = xs + []", LINES[4]], [1, 1, None, 1, 0, None], Origin.MUTATION, 4)
RECORDS = [REFERENCE, *map(with_line, OTHERS), LONGER]


@given(st.integers(0, 1000))
def test_every_line_keeps_its_own_label_and_at_least_two_are_new(seed: int) -> None:
    made = composed(RECORDS, 5, seed)
    assert 1 <= len(made) <= 5
    assert len({each.code for each in made}) == len(made)
    for each in made:
        steps = split_steps(each.code, Segment.LINE)
        assert [(step.start, step.end) for step in steps] == [(step.start, step.end) for step in each.steps]
        changed = []
        for at, step in enumerate(steps):
            text, label = each.code[step.start : step.end], each.steps[at].label
            if text == LINES[at]:
                assert label == (1 if step.kind is StepKind.CODE else None)
            else:
                assert (text, label) == OTHERS[at]
                changed.append(at)
        assert len(changed) >= 2
        assert (each.changed_step, each.origin, each.operator) == (changed[0], Origin.ROLLOUT, OPERATOR)
        assert each.code.endswith("\n")


def test_the_seed_decides_and_other_problems_do_not() -> None:
    other = [each.model_copy(update={"problem_id": "lists/2"}) for each in RECORDS]
    assert composed(RECORDS, 4, 1) == composed([*other, *RECORDS], 4, 1)[-len(composed(RECORDS, 4, 1)) :]
    assert any(composed(RECORDS, 4, 1) != composed(RECORDS, 4, seed) for seed in range(2, 9))


def test_without_two_steps_to_change_there_is_nothing_to_compose() -> None:
    assert composed([REFERENCE, with_line(1), LONGER], 5, 0) == []
    assert composed(RECORDS, 0, 0) == []
    assert composed([with_line(1), with_line(3)], 5, 0) == []
