"""The data card: its figures add up, and no text in it becomes markup."""

import re
from datetime import UTC, datetime

import pytest

from services.contracts import Job, JobStatus, LabelCounts, ProblemCounts, Rejected, Teaching
from services.labeler.card import plain, render_card
from services.labeler.storage import ProgramCount, SplitCount

RECIPE = {
    "teacher": {"kind": "mix", "of": [{"kind": "openai", "base_url": "http://user:secret@host", "api_key_env": "KEY"}]},
    "segment": "line",
    "seed": 7,
    "license": "CC-BY-4.0",
    "versions": {"linewise": "1.2.3", "python": "3.11.7", "libcst": "1.9.0"},
}
PROGRAMS = [
    ProgramCount("train", "reference", None, None, "accepted", None, True, 5),
    ProgramCount("test", "reference", None, None, "accepted", None, True, 1),
    ProgramCount("train", "mutation", "a_op", "killed", "wrong_answer", "base", True, 1_200),
    ProgramCount("test", "mutation", "a_op", "killed", "runtime_error", "augmented", True, 30),
    ProgramCount("train", "mutation", "a_op", "survived", "accepted", None, False, 10),
    ProgramCount("train", "mutation", "b_op", "incompetent", None, None, False, 4),
    ProgramCount("train", "mutation", "b_op", None, None, None, False, 2),
    ProgramCount("train", "refactoring", "c_op", "survived", "accepted", None, True, 99),
    ProgramCount("train", "refactoring", "c_op", "killed", "wrong_answer", "base", False, 1),
]
SPLITS = [SplitCount("train", 6, 5, 1, 4_000, 1_200, 160, 1), SplitCount("test", 1, 1, 0, 9, 30, 32, 0)]


def job(**changes):
    fields = {
        "id": "j1",
        "name": "mbpp",
        "status": JobStatus.SUCCEEDED,
        "created_at": datetime(2025, 1, 2, 3, 4, tzinfo=UTC),
        "finished_at": datetime(2025, 1, 2, 4, 5, tzinfo=UTC),
        "problems": ProblemCounts(total=7, done=7, rejected=1),
        "labels": LabelCounts(positive=4_009, negative=1_230, unknown=10),
        "rejected": [Rejected(id="p9", reason="fails its own tests")],
    }
    return Job.model_validate(fields | changes)


def rows_below(card, heading):
    """The cells of the table below a heading, row by row, without its head."""
    section = card.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows[2:]]


@pytest.fixture
def card():
    return render_card(job(), RECIPE, PROGRAMS, SPLITS)


def test_splits_operators_and_verdicts_are_counted(card):
    assert rows_below(card, "Splits") == [
        ["train", "6", "1", "1,304", "4,000", "1,200", "160"],
        ["test", "1", "0", "31", "9", "30", "32"],
        ["all", "7", "1", "1,335", "4,009", "1,230", "192"],
    ]
    assert rows_below(card, "Operators") == [
        ["mutation", "a_op", "1,240", "1,230", "10", "0", "0", "1,230"],
        ["mutation", "b_op", "6", "0", "0", "4", "2", "0"],
        ["refactoring", "c_op", "100", "1", "99", "0", "0", "99"],
    ]
    assert ["mutation", "runtime_error", "0", "0", "30"] in rows_below(card, "Verdicts")


def test_the_noise_is_told_with_what_it_is_a_share_of(card):
    noise = card.split("## How noisy they are\n")[1]
    assert "killed by new ones: 30 of 40 (75.0 %)." in noise
    assert "survived all tests: 10 of 1,240 (0.8 %)." in noise
    assert "failed a test, so were none: 1 of 100 (1.0 %)." in noise
    assert "without any new test: 1 of 6 (16.7 %)." in noise
    assert "kept failing at them: 2." in noise


def test_seed_settings_versions_and_licence_are_there_and_where_the_teacher_lives_is_not(card):
    settings = dict(rows_below(card, "How they were made"))
    assert (settings["seed"], settings["linewise"], settings["libcst"]) == ("7", "1.2.3", "1.9.0")
    assert "openai" in settings["teacher"]
    assert "secret" not in card
    assert "KEY" not in card
    assert card.startswith('---\nlicense: "cc-by-4.0"\n')
    assert "Licence of the problems: CC-BY-4.0." in card
    assert rows_below(card, "Rejected problems") == [["p9", "fails its own tests"]]


def test_without_a_licence_the_card_claims_none():
    card = render_card(job(), RECIPE | {"license": None}, PROGRAMS, SPLITS)
    assert "license:" not in card
    assert "ask their source" in card


def test_a_job_that_has_made_nothing_has_a_card():
    waiting = job(status=JobStatus.QUEUED, finished_at=None, rejected=[])
    card = render_card(waiting, {}, [], [SplitCount("train", 7, 0, 0, 0, 0, 0, 0)])
    assert "0 of 0." in card
    assert "not recorded" in card
    assert "%" not in card


@pytest.mark.parametrize(
    "text", ["<img src=x>", "a|b\n| c |", "# head", "[l](http://x)", "`code`", "**b**", "_i_", "--- \n---", "&lt;"]
)
def test_text_of_strangers_stays_text(text):
    rejected = [Rejected(id=text, reason=text)]
    card = render_card(job(name=text, rejected=rejected), RECIPE | {"license": text}, PROGRAMS, SPLITS)
    assert rows_below(card, "Rejected problems") == [[plain(text), plain(text)]]
    assert "\n" not in plain(text)
    assert not re.search(r"(?<!\\)[<`|\[]", plain(text))
    assert card.count("\n---\n") == 1


def test_many_rejections_are_cut_and_said_to_be():
    rejected = [Rejected(id=str(number), reason="r") for number in range(1_234)]
    card = render_card(job(rejected=rejected), RECIPE, PROGRAMS, SPLITS)
    assert len(rows_below(card, "Rejected problems")) == 200
    assert "And 1,034 more" in card


def test_what_models_were_asked_and_what_it_cost_is_told_where_one_teaches(card):
    assert "teachers cost" not in card
    spent = Teaching(
        questions=1_200, malformed=7, unanswered=3, requests=1_100, prompt_tokens=9_000, completion_tokens=80, cost=1.25
    )
    section = render_card(job(teaching=spent), RECIPE, PROGRAMS, SPLITS).split("## What its teachers cost\n")[1]
    told = section.split("\n## ")[0]
    assert "1,200; 3 of them unanswered." in told
    assert "no label could be made of: 7." in told
    assert "1,100 requests, 9,000 prompt tokens and 80 completion tokens." in told
    assert "the job told: 1.2500." in told
