"""A database of the first version, with a job in it that is half done, is brought up to date and the job goes on."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic import command
from sqlalchemy import create_engine, inspect, text
from typer.testing import CliRunner

from services.cli.app import app
from services.contracts import JobStatus, KilledBy, Origin
from services.kit.errors import StartupError
from services.labeler.recipe import LabelledProblem, LabelledProgram
from services.labeler.storage import Database, JobRepository, ResultRepository, WorkRepository
from services.labeler.storage.migrate import alembic_config

FIRST = "0001"
RECIPE = {
    "teacher": {"kind": "rules"},
    "segment": "line",
    "mutants_per_step": 4,
    "refactorings_per_step": 2,
    "augmented_tests": 32,
    "seed": 7,
}
JOB = """
INSERT INTO jobs (id, name, status, recipe, idempotency_key, fingerprint, created_at)
VALUES ('old', 'é', 'running', :recipe, 'k', 'f', '2025-01-02 03:04:05+00')
"""
PROBLEM = """
INSERT INTO problems (job_id, position, problem_id, split, prompt, solution, setup, tests, augmented, state, attempts,
                      killed, survived, incompetent, unverified, positive, negative)
VALUES ('old', :position, :name, 'train', 'Do it.', 'x = 1', '', :tests, :augmented, :state, 1, :killed, 0, 0, 0, 1, 1)
"""
PROGRAM = """
INSERT INTO programs
  (job_id, position, number, origin, operator, changed_step, code, outcome, verdict, killed_by, steps)
VALUES ('old', 0, 0, 'mutation', 'constant', 1, 'x = 2', 'killed', 'wrong_answer', 'augmented', '[[0, 5, 0]]')
"""


@pytest.fixture
def engine(database_url):
    engine = create_engine(database_url.replace("postgresql://", "postgresql+psycopg://"))
    yield engine
    engine.dispose()


@pytest.fixture
def old_database(engine):
    """Filled with SQL and not through the code, which knows the newest schema only."""
    tests = json.dumps([{"kind": "assert", "code": "assert x == 1"}])
    with engine.begin() as connection:
        command.upgrade(alembic_config(connection), FIRST)
        connection.execute(text(JOB), {"recipe": json.dumps(RECIPE)})
        done = {"position": 0, "name": "done", "state": "done", "killed": 1, "tests": tests, "augmented": tests}
        pending = {"position": 1, "name": "pending", "state": "pending", "killed": 0, "tests": tests, "augmented": None}
        connection.execute(text(PROBLEM), [done, pending])
        connection.execute(text(PROGRAM))


def test_a_job_of_the_first_schema_is_read_and_finished_by_this_version(old_database, database_url):
    database = Database(database_url)
    database.open()
    jobs, work, results = JobRepository(database), WorkRepository(database), ResultRepository(database)
    assert jobs.unfinished() == ["old"]
    assert jobs.with_key("k") == ("old", "f")
    job = jobs.get("old")
    assert (job.name, job.problems.done, job.mutants.killed, job.labels.negative) == ("é", 1, 1, 2)

    assert work.start("old").seed == 7
    [pending] = work.pending("old", jobs.pending_positions("old"))
    assert (pending.problem.id, pending.attempts, pending.problem.tests[0].code) == ("pending", 1, "assert x == 1")
    reference = LabelledProgram(Origin.REFERENCE, None, None, "x = 1", None, None, None, None)
    work.finish("old", pending.position, LabelledProblem([reference], []))
    work.finish_job("old")
    assert jobs.get("old").status is JobStatus.SUCCEEDED

    [record] = results.labels("old", None)
    assert (record.problem_id, record.teacher, record.killed_by) == ("done", "rules", KilledBy.AUGMENTED)
    assert [(step.start, step.end, step.label) for step in record.steps] == [(0, 5, 0)]
    database.close()


def test_every_migration_can_be_taken_back_and_the_first_tables_are_what_remains(old_database, engine):
    with engine.begin() as connection:
        columns = {table: _columns(connection, table) for table in ("jobs", "problems", "programs")}
        command.upgrade(alembic_config(connection), "head")
        command.downgrade(alembic_config(connection), FIRST)
        assert {table: _columns(connection, table) for table in columns} == columns
        assert connection.execute(text("SELECT count(*) FROM programs")).scalar() == 1
        command.downgrade(alembic_config(connection), "base")
        assert set(inspect(connection).get_table_names()) == {"alembic_version"}


def _columns(connection, table):
    return {column["name"] for column in inspect(connection).get_columns(table)}


def test_who_may_not_migrate_waits_for_linewise_migrate(database_url, monkeypatch):
    monkeypatch.setenv("LINEWISE_DATABASE_URL", database_url)
    database = Database(database_url)
    with ThreadPoolExecutor() as pool:
        opened = pool.submit(database.open, migrate=False)
        assert CliRunner().invoke(app, ["migrate"]).exit_code == 0
        opened.result(timeout=60)
    assert JobRepository(database).unfinished() == []
    database.close()


def test_who_waits_in_vain_for_a_schema_is_told_the_command(old_database, database_url, monkeypatch):
    monkeypatch.setattr("services.labeler.storage.database._SCHEMA_PATIENCE_S", 0.0)
    database = Database(database_url)
    with pytest.raises(StartupError, match="linewise migrate"):
        database.open(migrate=False)
    database.close()
