"""Operators as bars, programs with their fate in words, and addresses that say what is shown."""

import pytest

from services.contracts import Outcome
from services.kit.errors import BadRequestError
from services.labeler.cursors import key_of
from services.labeler.page_query import PageQuery
from services.labeler.page_view import Bar, Outcomes, bars_of, fate, operators
from services.labeler.storage import ProgramCount, SeenProgram


def count(origin, operator, outcome, programs, *, labelled=False):
    return ProgramCount("train", origin, operator, outcome, None, None, labelled, programs)


def test_operators_come_by_origin_the_most_prolific_first_with_bars_of_one_scale():
    found = operators(
        [
            count("reference", None, None, 9),
            count("mutation", "small", "survived", 5),
            count("mutation", "large", "killed", 30),
            count("mutation", "large", "survived", 10),
            count("refactoring", "rewrite", "survived", 2),
            count("mutation", "broken", "incompetent", 1),
        ]
    )
    assert list(found) == ["mutation", "refactoring"]
    assert [row.name for row in found["mutation"]] == ["large", "small", "broken"]
    large, small, broken = found["mutation"]
    assert (large.programs, large.programs.share, broken.programs.share) == (Outcomes(30, 10, 0, 0), 75.0, None)
    assert large.bars == [Bar("negative", 0.0, 75.0), Bar("unknown", 75.0, 25.0)]
    assert small.bars == [Bar("unknown", 0.0, 12.5)]
    assert found["refactoring"][0].bars == [Bar("positive", 0.0, 100.0)]


def test_a_job_that_has_made_nothing_has_no_bars():
    assert bars_of("mutation", Outcomes(0, 0, 0, 0), 0) == []
    assert operators([]) == {}


@pytest.mark.parametrize(
    ("origin", "outcome", "steps", "label", "words"),
    [
        ("mutation", "killed", [[0, 1, 0]], "negative", "killed by a new test: wrong answer"),
        ("mutation", "survived", None, "unknown", "passes every test"),
        ("mutation", "incompetent", None, "none", "does not compile, or is the same program"),
        ("mutation", None, None, "none", "never judged"),
        ("refactoring", "survived", [[0, 1, 1]], "positive", "passes every test"),
        ("refactoring", "killed", None, "none", "killed by a new test: wrong answer"),
    ],
)
def test_a_program_has_a_label_and_a_fate_in_words(origin, outcome, steps, label, words):
    verdict = "wrong_answer" if outcome == Outcome.KILLED else None
    program = SeenProgram((0, 1), "p", "", "a", origin, "op", "b", outcome, verdict, "augmented", steps)
    assert (program.label, fate(program)) == (label, words)


def test_an_address_says_what_is_shown_and_links_begin_again_at_the_beginning():
    query = PageQuery.read("job=j1&operator=a%20b&cursor=3-4&unknown=x&verdict=")
    assert query == PageQuery(job="j1", operator="a b", cursor="3-4")
    assert query.link(label="unknown") == "?job=j1&operator=a+b&label=unknown"
    assert query.link(cursor="5-6") == "?job=j1&operator=a+b&cursor=5-6"


def test_any_address_can_be_read_and_one_of_far_too_many_fields_is_refused():
    assert PageQuery.read("job=%00%ff&=&&job=%ED%A0%80").job
    assert "\0" not in PageQuery.read("job=%00").job
    with pytest.raises(BadRequestError):
        PageQuery.read("&".join("job=1" for _ in range(1000)))


@pytest.mark.parametrize("cursor", ["x", "", "-", "1-", "1-2-3", "١-٢", "9" * 40 + "-1", "-1-1"])
def test_a_cursor_that_nobody_gave_out_is_refused(cursor):
    with pytest.raises(BadRequestError):
        key_of(cursor)
    assert key_of("12-3") == (12, 3)
