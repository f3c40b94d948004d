"""Programs against their references, with labels at the lines, and nothing that could fill a page."""

import pytest

from services.contracts import Segment, split_steps
from services.kit.page_text import Part
from services.labeler.page_diff import diff, shortened


def shown(lines):
    return [(line.kind, line.number, "".join(part.text for part in line.parts), line.label) for line in lines]


def test_a_changed_line_stands_below_the_line_that_it_replaces_with_its_label():
    steps = [[0, 5, 1], [6, 11, 0], [12, 17, None]]
    assert shown(diff("a = 1\nb = 2\nc = 3\n", "a = 1\nb = 9\nc = 3\n", steps)) == [
        ("same", 1, "a = 1", 1),
        ("gone", 2, "b = 2", None),
        ("new", 2, "b = 9", 0),
        ("same", 3, "c = 3", None),
    ]


def test_added_and_deleted_lines_are_told_apart_and_lines_keep_their_own_numbers():
    found = shown(diff("a\nb\nc\nd\n", "a\nx\ny\nc\n", None))
    assert found == [
        ("same", 1, "a", None),
        ("gone", 2, "b", None),
        ("new", 2, "x", None),
        ("new", 3, "y", None),
        ("same", 4, "c", None),
        ("gone", 4, "d", None),
    ]


def test_every_line_of_a_step_over_several_lines_has_the_steps_label():
    code = "x = [\n    1,\n]\ny = 2\n"
    steps = [
        [step.start, step.end, label] for step, label in zip(split_steps(code, Segment.STATEMENT), (1, 0), strict=True)
    ]
    assert [line.label for line in diff(code, code, steps)] == [1, 1, 1, 0]


def test_soft_labels_are_shown_where_there_are_some():
    [one, other] = diff("a\nb\n", "a\nb\n", [[0, 1, 1, 0.75], [2, 3, 1]])
    assert (one.soft, other.soft) == (0.75, None)


def test_of_a_long_program_the_change_and_what_is_around_it_is_shown():
    before = [f"line {number}" for number in range(100)]
    after = [*before[:50], "changed", *before[51:]]
    lines = diff("\n".join(before), "\n".join(after), None)
    texts = [text for _, _, text, _ in shown(lines)]
    assert (texts[0], texts[-1]) == ("47 more lines", "46 more lines")
    assert [line.kind for line in lines].count("same") == 6
    assert "changed" in texts


@pytest.mark.parametrize("lines", [20_000, 300])
def test_wholly_different_programs_are_cut_short(lines):
    found = diff("\n".join(f"a {n}" for n in range(lines)), "\n".join(f"b {n}" for n in range(lines)), None)
    assert len(found) == 121
    assert found[-1].kind == "fold"


def test_a_long_line_is_cut_and_says_by_how_much():
    assert shortened("x" * 1_000_600) == [Part("x" * 600), Part(" … 1,000,000 characters more")]
    assert shortened("a\u202eb") == [Part("a"), Part("U+202E", is_name=True), Part("b")]


@pytest.mark.parametrize(("before", "after"), [("", ""), ("", "a\n"), ("a\n", ""), ("a", "a\n"), ("\r\na\r", "a")])
def test_any_two_texts_can_be_compared(before, after):
    kinds = [line.kind for line in diff(before, after, [[0, 1, 1]])]
    assert set(kinds) <= {"same", "gone", "new"}
