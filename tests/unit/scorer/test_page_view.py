"""Rows, colours, figures and sentences of the page."""

from collections.abc import Sequence

import pytest

from services.contracts import ScoredStep, ScoreReply, Segment, StepKind, split_steps
from services.kit.errors import NotFoundError, OverloadedError, TooLargeError, UnavailableError
from services.kit.page_text import Part
from services.scorer.page_view import Row, names_of, sentence, shown_programs
from services.scorer.replies import aggregate


def reply(code: str, scores: Sequence[float], segment: Segment = Segment.LINE) -> ScoreReply:
    left = iter(scores)
    steps = [
        ScoredStep(
            index=step.index,
            start=step.start,
            end=step.end,
            first_line=step.first_line,
            last_line=step.last_line,
            kind=step.kind,
            score=next(left) if step.kind is StepKind.CODE else None,
        )
        for step in split_steps(code, segment)
    ]
    return ScoreReply(model="prm", steps=steps, aggregate=aggregate(scores, softmin_temperature=0.1), tokens=9)


@pytest.mark.parametrize(
    ("score", "colour"),
    [
        (0.0, "low l10"),
        (0.26, "low l5"),
        (0.49, "low l0"),
        (0.5, "high l0"),
        (0.75, "high l5"),
        (1.0, "high l10"),
        (None, "plain"),
    ],
)
def test_a_colour_is_a_side_of_one_half_and_a_distance_from_it(score: float | None, colour: str) -> None:
    assert Row("1", [], score, False).colour == colour


def test_a_program_has_its_lines_its_weakest_one_and_its_figures() -> None:
    code = "a = 1\n# b\n\nc = 2\n"
    [program] = shown_programs([code], [reply(code, [0.9, 0.2])])
    assert [(row.lines, row.score) for row in program.rows] == [("1", 0.9), ("2", None), ("3", None), ("4", 0.2)]
    assert [row.parts for row in program.rows] == [[Part("a = 1")], [Part("# b")], [], [Part("c = 2")]]
    assert program.weakest is program.rows[3]
    values = {figure.name: figure.value for figure in program.figures}
    assert (values["min"], values["last"], values["mean"]) == (0.2, 0.2, pytest.approx(0.55))
    assert not any(figure.is_higher for figure in program.figures)


def test_a_statement_over_several_lines_is_one_row() -> None:
    code = "x = [\r\n    1,\r\n]\r\n"
    [program] = shown_programs([code], [reply(code, [0.9], Segment.STATEMENT)])
    assert [(row.lines, row.parts) for row in program.rows] == [("1-3", [Part("x = [\n    1,\n]")])]


def test_a_program_without_code_has_no_weakest_line() -> None:
    [program] = shown_programs(["# a"], [reply("# a", [])])
    assert program.weakest is None
    assert all(figure.value is None for figure in program.figures)


def test_two_programs_part_at_the_first_line_that_differs_and_the_higher_figure_is_marked() -> None:
    codes = ["a\nb\nc\n", "a\nb\nd\ne\n"]
    one, other = shown_programs(codes, [reply(codes[0], [0.9, 0.8, 0.9]), reply(codes[1], [0.9, 0.8, 0.1, 0.1])])
    assert [row.parts_ways for row in one.rows] == [False, False, True]
    assert [row.parts_ways for row in other.rows] == [False, False, True, False]
    assert {figure.name for figure in one.figures if figure.is_higher} >= {"mean", "min", "product", "last"}
    assert not any(figure.is_higher for figure in other.figures)


@pytest.mark.parametrize("codes", [("a\n", "b\n"), ("a\n", "a\n")])
def test_programs_that_share_nothing_or_all_part_nowhere(codes: tuple[str, str]) -> None:
    shown = shown_programs(codes, [reply(code, [0.5]) for code in codes])
    assert not any(row.parts_ways for program in shown for row in program.rows)


def test_a_figure_is_higher_only_where_people_see_it() -> None:
    one, other = shown_programs(["a", "b"], [reply("a", [0.50001]), reply("b", [0.50002])])
    assert not any(figure.is_higher for figure in [*one.figures, *other.figures])


def test_errors_are_sentences_that_say_what_to_do() -> None:
    too_long = TooLargeError("too_long", "x", details={"tokens": 1234, "max_tokens": 512, "item": 1})
    assert sentence(too_long, names_of(2)).startswith("Program B is too long: with the task it has 1,234 tokens")
    assert "try again" in sentence(OverloadedError("overloaded", "64 programs are waiting"), names_of(1))
    assert "before a model is loaded" in sentence(UnavailableError("no_model", "x"), names_of(1))
    unknown = NotFoundError("unknown_model", "there is no model 'x'; there is prm")
    assert sentence(unknown, names_of(1)) == "There is no model 'x'; there is prm."
