"""The ledger of questions keeps budgets and rates, whoever asks, on either database."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from services.contracts import Budget, JobRequest
from services.labeler.storage import Database, JobRepository, ModelReply, QuestionRepository
from services.labeler.storage.questions import Refusal
from services.labeler.storage.tables import TeacherRequestRow


@pytest.fixture
def database(database_url):
    database = Database(database_url)
    database.open()
    yield database
    database.close()


@pytest.fixture
def questions(database):
    return QuestionRepository(database, claim_s=60)


@pytest.fixture
def new_job(database, problems):
    return lambda: JobRepository(database).create(JobRequest(name="taught", problems=problems[:1]), "")


def test_a_rate_holds_for_a_teachers_name_over_all_jobs_and_for_a_minute(database, questions, new_job):
    budget, first, second = Budget(requests_per_minute=2), new_job(), new_job()
    sent = [questions.claim(job, "openai:m", key, budget) for job, key in ((first, "a"), (second, "b"))]
    assert all(isinstance(request, int) for request in sent)
    assert questions.claim(first, "openai:m", "c", budget) is Refusal.BUSY
    assert questions.claim(second, "openai:m", "c", budget) is Refusal.BUSY
    assert isinstance(questions.claim(first, "openai:other", "x", budget), int)

    with database.write() as session:
        oldest = update(TeacherRequestRow).where(TeacherRequestRow.id == sent[0])
        session.execute(oldest.values(begun_at=datetime.now(UTC) - timedelta(seconds=61)))
    assert isinstance(questions.claim(second, "openai:m", "c", budget), int)
    assert questions.claim(second, "openai:m", "d", budget) is Refusal.BUSY


def test_what_a_clock_wrote_before_it_was_set_back_a_day_holds_nobody_up(database, questions, new_job):
    job, budget = new_job(), Budget(requests_per_minute=1)
    request = questions.claim(job, "openai:m", "a", budget)
    assert questions.claim(job, "openai:m", "a", Budget()) is Refusal.BUSY
    with database.write() as session:
        row = update(TeacherRequestRow).where(TeacherRequestRow.id == request)
        session.execute(row.values(begun_at=datetime.now(UTC) + timedelta(days=1)))
    assert isinstance(questions.claim(job, "openai:m", "a", budget), int)


def test_a_known_reply_is_given_beyond_any_rate_and_budget(questions, new_job):
    job, budget = new_job(), Budget(requests_per_minute=1, max_requests=1, max_tokens=1)
    request = questions.claim(job, "openai:m", "a", budget)
    questions.keep(request, ModelReply("x = 1", True, 10, 20), cost=0.5)
    assert questions.claim(new_job(), "openai:m", "a", budget).text == "x = 1"


def test_tokens_are_asked_for_until_the_jobs_replies_have_spent_them(database, questions, new_job):
    job, budget = new_job(), Budget(max_tokens=100, prompt_price=1.0)
    for key, tokens in (("a", 60), ("b", 39)):
        request = questions.claim(job, "openai:m", key, budget)
        questions.keep(request, ModelReply("", True, tokens // 3, tokens - tokens // 3), cost=tokens / 3)
    last = questions.claim(job, "openai:m", "c", budget)
    assert isinstance(last, int)
    questions.keep(last, ModelReply("", True, 1, 0), cost=0.5)
    assert questions.claim(job, "openai:m", "d", budget) is Refusal.SPENT
    assert isinstance(questions.claim(new_job(), "openai:m", "d", budget), int)

    spent = JobRepository(database).get(job).teaching
    assert (spent.requests, spent.prompt_tokens + spent.completion_tokens, spent.cost) == (3, 100, pytest.approx(33.5))
