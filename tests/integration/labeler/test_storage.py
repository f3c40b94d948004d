"""The repositories keep their promises on SQLite and on PostgreSQL alike."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect

from services.contracts import (
    AssertTest,
    CallTest,
    JobRequest,
    JobStatus,
    KilledBy,
    Origin,
    Outcome,
    Problem,
    Segment,
    StdioTest,
    StepLabel,
    Verdict,
)
from services.labeler.recipe import LabelledProblem, LabelledProgram
from services.labeler.splits import split_of
from services.labeler.storage import (
    LABELS,
    BrowsingRepository,
    Database,
    JobRepository,
    KeyTakenError,
    ProgramCount,
    ResultRepository,
    SplitCount,
    TallyRepository,
    Wanted,
    WorkRepository,
)
from services.labeler.storage.tables import Base

TESTS = [
    AssertTest(code="assert f(1) == 'é😀'"),
    CallTest(function="f", args_literal="[(1,)]", expected=None),
    StdioTest(stdin="\x00", expected_stdout="1\n"),
]


@pytest.fixture
def database(database_url):
    database = Database(database_url)
    database.open()
    yield database
    database.close()


@pytest.fixture
def jobs(database):
    return JobRepository(database)


@pytest.fixture
def work(database):
    return WorkRepository(database)


@pytest.fixture
def results(database):
    return ResultRepository(database, programs_at_once=2)


def request(*ids, **fields):
    problems = [Problem(id=name, prompt=f"Do {name}.", solution="x = 1\r\n", tests=TESTS) for name in ids]
    return JobRequest(name="é", problems=problems, **fields)


def program(origin=Origin.REFERENCE, outcome=None, labels=(1,), number=0):
    return LabelledProgram(
        origin=origin,
        operator=None if origin is Origin.REFERENCE else "negated_condition",
        changed_step=None if origin is Origin.REFERENCE else 0,
        code=f"x = {number}",
        outcome=outcome,
        verdict=Verdict.WRONG_ANSWER if outcome is Outcome.KILLED else None,
        killed_by=KilledBy.BASE if outcome is Outcome.KILLED else None,
        steps=None if labels is None else [StepLabel(start=0, end=5, label=label) for label in labels],
    )


LABELLED = LabelledProblem(
    programs=[
        program(),
        program(Origin.MUTATION, Outcome.KILLED, (1, 0, None), 1),
        program(Origin.MUTATION, Outcome.SURVIVED, None, 2),
        program(Origin.MUTATION, Outcome.INCOMPETENT, None, 3),
        program(Origin.MUTATION, None, None, 4),
        program(Origin.REFACTORING, Outcome.SURVIVED, (1, 1), 5),
    ],
    augmented=[AssertTest(code="assert f(2) == 2")],
)


def test_migrations_make_the_tables_that_the_code_uses(database_url, database):
    url = database_url.replace("postgresql://", "postgresql+psycopg://")
    engine = create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    assert set(inspect(engine).get_table_names()) == {
        "alembic_version",
        "jobs",
        "problems",
        "programs",
        "teacher_requests",
    }
    engine.dispose()


def test_processes_that_start_together_migrate_once(database_url):
    databases = [Database(database_url) for _ in range(4)]
    barrier = threading.Barrier(len(databases))

    def start(database):
        barrier.wait()
        database.open()

    with ThreadPoolExecutor(len(databases)) as pool:
        list(pool.map(start, databases))
    for database in databases:
        assert JobRepository(database).unfinished() == []
        database.close()


def test_a_job_comes_back_as_it_was_stored(jobs, work):
    job_id = jobs.create(request("a", "b", segment=Segment.STATEMENT, seed=7), "fingerprint")
    job = jobs.get(job_id)
    assert (job.name, job.status, job.problems.total, job.problems.done) == ("é", JobStatus.QUEUED, 2, 0)
    assert job.created_at.utcoffset().total_seconds() == 0
    recipe = work.start(job_id)
    assert (recipe.segment, recipe.seed, recipe.mutants_per_step) == (Segment.STATEMENT, 7, 4)
    assert [item.problem for item in work.pending(job_id, [0, 1])] == request("a", "b").problems
    assert jobs.get("unknown") is None
    assert work.start("unknown") is None


def test_an_idempotency_key_is_taken_once_even_by_two_at_a_time(jobs):
    def create(_):
        try:
            return jobs.create(request("a", idempotency_key="k"), "fingerprint")
        except KeyTakenError:
            return None

    with ThreadPoolExecutor(4) as pool:
        created = [job_id for job_id in pool.map(create, range(8)) if job_id]
    assert len(created) == 1
    assert jobs.with_key("k") == (created[0], "fingerprint")
    assert jobs.with_key("other") is None


def test_a_problem_that_is_finished_twice_counts_once(jobs, work, results):
    job_id = jobs.create(request("a", "b"), "")
    work.start(job_id)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: work.finish(job_id, 0, LABELLED), range(8)))
    work.reject(job_id, 0, "too late")
    work.finish_job(job_id)
    job = jobs.get(job_id)
    assert (job.status, job.problems.done, job.problems.rejected) == (JobStatus.RUNNING, 1, 0)
    counts = job.mutants
    assert (counts.total, counts.killed, counts.survived, counts.incompetent, counts.unverified) == (4, 1, 1, 1, 1)
    assert (job.labels.positive, job.labels.negative, job.labels.unknown) == (4, 1, 1)
    assert len(list(results.labels(job_id, None))) == 3
    assert jobs.pending_positions(job_id) == [1]


def test_two_workers_that_finish_the_last_problems_together_end_the_job(jobs, work):
    for _ in range(10):
        job_id = jobs.create(request("a", "b"), "")
        work.start(job_id)
        barrier = threading.Barrier(2)

        def finish(position, job_id=job_id, barrier=barrier):
            barrier.wait()
            work.finish(job_id, position, LABELLED)
            work.finish_job(job_id)

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(finish, range(2)))
        assert jobs.get(job_id).status is JobStatus.SUCCEEDED
    assert jobs.unfinished() == []


def test_nothing_is_added_to_a_job_that_is_over(jobs, work, results):
    job_id = jobs.create(request("a", "b"), "")
    work.start(job_id)
    jobs.cancel(job_id)
    work.finish(job_id, 0, LABELLED)
    work.reject(job_id, 1, "reason")
    work.finish_job(job_id)
    work.fail_job(job_id, "error")
    job = jobs.get(job_id)
    assert (job.status, job.problems.done, job.error) == (JobStatus.CANCELLED, 0, None)
    assert job.finished_at is not None
    assert not work.is_live(job_id)
    assert work.start(job_id) is None
    assert list(results.labels(job_id, None)) == []


def test_reasons_and_errors_may_hold_any_text(jobs, work):
    job_id = jobs.create(request("a", "b"), "")
    work.start(job_id)
    work.reject(job_id, 1, "ValueError: \x00 'é'")
    work.fail_job(job_id, "no \x00 answer")
    job = jobs.get(job_id)
    assert [(item.id, item.reason) for item in job.rejected] == [("b", "ValueError: \\x00 'é'")]
    assert (job.status, job.error) == (JobStatus.FAILED, "no \\x00 answer")


def test_attempts_are_counted_while_a_problem_is_pending(jobs, work):
    job_id = jobs.create(request("a"), "")
    work.begin(job_id, 0)
    work.begin(job_id, 0)
    [item] = work.pending(job_id, [0])
    assert item.attempts == 2


def test_a_deleted_job_leaves_nothing(jobs, work):
    job_id = jobs.create(request("a", idempotency_key="k"), "")
    work.start(job_id)
    work.finish(job_id, 0, LABELLED)
    jobs.delete(job_id)
    assert jobs.get(job_id) is None
    assert jobs.create(request("a", idempotency_key="k"), "") != job_id


def test_pages_of_mutants_and_labels_come_in_the_order_of_the_problems(jobs, work, results):
    names = [f"p{number}" for number in range(12)]
    job_id = jobs.create(request(*names), "")
    work.start(job_id)
    for position in reversed(range(12)):
        work.finish(job_id, position, LABELLED)

    first = results.mutants(job_id, 30, None)
    position, _, number = first.next_cursor.partition("-")
    second = results.mutants(job_id, 30, (int(position), int(number)))
    mutants = [*first.mutants, *second.mutants]
    assert [mutant.problem_id for mutant in mutants] == [name for name in names for _ in range(4)]
    assert second.next_cursor is None

    records = list(results.labels(job_id, None))
    assert [record.problem_id for record in records] == [name for name in names for _ in range(3)]
    assert [step.label for step in records[1].steps] == [1, 0, None]
    assert (records[1].prompt, records[1].teacher, records[1].killed_by) == ("Do p0.", "rules", KilledBy.BASE)
    for split in ("train", "validation", "test"):
        found = {record.problem_id for record in results.labels(job_id, split)}
        assert found == {name for name in names if split_of(name) == split}


def test_counts_are_those_of_the_programs_whatever_their_split(database, jobs, work):
    tallies = TallyRepository(database)
    job_id = jobs.create(request("601", "602", "608", "610", license="MIT"), "")
    assert tallies.programs(job_id) == []
    work.start(job_id)
    for position in (0, 2):
        work.finish(job_id, position, LABELLED)
    work.finish(job_id, 3, LabelledProblem([program()], []))
    work.reject(job_id, 1, "reason")
    assert [split_of(name) for name in ("601", "602", "608", "610")] == ["train", "train", "validation", "train"]
    assert tallies.splits(job_id) == [
        SplitCount("train", problems=3, done=2, rejected=1, positive=5, negative=1, new_tests=1, unaided=1),
        SplitCount("validation", problems=1, done=1, rejected=0, positive=4, negative=1, new_tests=1, unaided=0),
    ]
    counts = tallies.programs(job_id)
    assert sum(one.programs for one in counts) == 13
    assert sum(one.programs for one in counts if one.labelled) == 7
    killed = ("mutation", "negated_condition", "killed", "wrong_answer", "base", True, 1)
    assert [one for one in counts if one.outcome == "killed"] == [
        ProgramCount("train", *killed),
        ProgramCount("validation", *killed),
    ]
    recipe = jobs.recipe(job_id)
    assert (recipe["license"], recipe["teacher"]["kind"]) == ("MIT", "rules")
    assert set(recipe["versions"]) == {"linewise", "python", "libcst"}
    assert jobs.recipe("unknown") == {}


WANTED = [
    Wanted(),
    *(Wanted(label=label) for label in (*LABELS, "nonsense")),
    *(Wanted(outcome=outcome) for outcome in (*Outcome, "nonsense")),
    Wanted(origin="mutation", verdict="wrong_answer"),
    Wanted(origin="reference"),
    Wanted(operator="negated_condition", label="unknown"),
    Wanted(operator="no such operator"),
]


def test_what_is_browsed_is_what_is_counted_and_stands_beside_its_reference(database, jobs, work):
    browsing, tallies = BrowsingRepository(database), TallyRepository(database)
    job_id, other = jobs.create(request("a", "b", "c"), ""), jobs.create(request("a"), "")
    for name, positions in ((job_id, (0, 1, 2)), (other, (0,))):
        work.start(name)
        for position in positions:
            work.finish(name, position, LABELLED)
    counts = tallies.programs(job_id)
    for wanted in WANTED:
        found = browsing.page(job_id, wanted, 100, None)
        assert len(found) == sum(one.programs for one in counts if wanted.takes(one)), wanted
    everything = browsing.page(job_id, Wanted(), 100, None)
    assert [one.key for one in everything] == [(position, number) for position in range(3) for number in range(1, 6)]
    assert [one.label for one in everything[:5]] == ["negative", "unknown", "none", "none", "positive"]
    assert {(one.reference, one.prompt) for one in everything[:5]} == {("x = 0", "Do a.")}
    pages = [browsing.page(job_id, Wanted(), 4, after) for after in (None, everything[3].key, everything[14].key)]
    assert pages == [everything[:4], everything[4:8], []]
