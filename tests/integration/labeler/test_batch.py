"""A batch settles each of its problems, whatever one of them does to the labeler."""

import pytest
from sqlalchemy import text

from services.client.errors import DeadlineExceededError
from services.contracts import ExecuteReply, JobRequest, JobStatus, TestResult, Verdict
from services.labeler.batch import label_batch
from services.labeler.errors import DatabaseAwayError
from services.labeler.settings import LabelerSettings
from services.labeler.storage import Database, JobRepository, QuestionRepository, WorkRepository


class AcceptingExecutor:
    """Accepts every program at every test, and fails as told at the problem whose code holds `poison`."""

    def __init__(self, failure=None):
        self._failure = failure or ZeroDivisionError("a bug of ours")

    async def execute_batch(self, programs):
        if any("poison" in program.code for program in programs):
            raise self._failure
        accepted = TestResult(verdict=Verdict.ACCEPTED, assurance="high")
        return [
            ExecuteReply(
                verdict=Verdict.ACCEPTED,
                passed=len(program.tests),
                total=len(program.tests),
                wall_s=0,
                isolation="",
                tests=[accepted] * len(program.tests),
            )
            for program in programs
        ]


@pytest.fixture
def settings(tmp_path):
    return LabelerSettings(data_dir=tmp_path)


@pytest.fixture
def database(settings):
    database = Database(settings.database_url)
    database.open()
    yield database
    database.close()


@pytest.fixture
def questions(database):
    return QuestionRepository(database, claim_s=1)


async def test_a_problem_that_breaks_the_labeler_is_rejected_by_name_and_the_rest_goes_on(
    database, questions, settings, problems
):
    jobs, work = JobRepository(database), WorkRepository(database)
    poisoned = problems[0].model_copy(update={"id": "poisoned", "solution": "poison = 1\n"})
    job_id = jobs.create(JobRequest(name="x", problems=[poisoned, *problems]), "")
    await label_batch(work, questions, AcceptingExecutor(), settings, job_id, range(len(problems) + 1))
    job = jobs.get(job_id)
    assert (job.status, job.problems.done) == (JobStatus.SUCCEEDED, len(problems) + 1)
    assert [(item.id, item.reason) for item in job.rejected] == [
        ("poisoned", "the labeler failed at it: ZeroDivisionError")
    ]


async def test_a_problem_that_the_executor_never_answers_is_rejected_by_name_and_the_rest_goes_on(
    database, questions, settings, problems
):
    jobs, work = JobRepository(database), WorkRepository(database)
    poisoned = problems[0].model_copy(update={"id": "poisoned", "solution": "poison = 1\n"})
    job_id = jobs.create(JobRequest(name="x", problems=[poisoned, *problems]), "")
    executor = AcceptingExecutor(DeadlineExceededError("no answer in 300 s"))
    impatient = settings.model_copy(update={"executor_patience_s": 0})
    await label_batch(work, questions, executor, impatient, job_id, range(len(problems) + 1))
    job = jobs.get(job_id)
    assert (job.status, job.problems.done) == (JobStatus.SUCCEEDED, len(problems) + 1)
    assert [(item.id, item.reason) for item in job.rejected] == [
        ("poisoned", "the executor answers others, but not its programs: no answer in 300 s")
    ]


async def test_a_job_that_cannot_be_read_fails_and_says_so(database, questions, settings, problems):
    jobs, work = JobRepository(database), WorkRepository(database)
    job_id = jobs.create(JobRequest(name="x", problems=problems), "")
    with database.write() as session:
        session.execute(text("UPDATE jobs SET recipe = '{}'"))
    await label_batch(work, questions, AcceptingExecutor(), settings, job_id, [0])
    job = jobs.get(job_id)
    assert (job.status, job.error) == (JobStatus.FAILED, "the labeler failed at it: KeyError")


async def test_an_outage_of_the_database_counts_as_no_death_of_a_worker(database, questions, settings, problems):
    jobs = JobRepository(database)
    work = ForgetfulWork(database, outages=settings.attempts)
    job_id = jobs.create(JobRequest(name="x", problems=problems[:1]), "")
    await label_batch(work, questions, AcceptingExecutor(), settings, job_id, [0])
    assert work.outages == 0
    assert (jobs.get(job_id).status, jobs.get(job_id).rejected) == (JobStatus.SUCCEEDED, [])


class ForgetfulWork(WorkRepository):
    """The database goes away before it keeps a problem, so many times."""

    def __init__(self, database, outages):
        super().__init__(database)
        self.outages = outages

    def finish(self, *arguments):
        if self.outages:
            self.outages -= 1
            raise DatabaseAwayError("gone")
        super().finish(*arguments)


async def test_a_problem_at_which_workers_die_again_and_again_is_given_up(database, questions, settings, problems):
    jobs, work = JobRepository(database), WorkRepository(database)
    job_id = jobs.create(JobRequest(name="x", problems=problems[:2]), "")
    for _ in range(settings.attempts):
        work.begin(job_id, 0)
    await label_batch(work, questions, AcceptingExecutor(), settings, job_id, [0, 1])
    job = jobs.get(job_id)
    assert [(item.id, item.reason) for item in job.rejected] == [
        (problems[0].id, "5 workers died or ran out of time at it")
    ]
    assert job.status is JobStatus.SUCCEEDED


async def test_mutants_that_survive_give_no_labels(database, questions, settings, problems):
    jobs, work = JobRepository(database), WorkRepository(database)
    job_id = jobs.create(JobRequest(name="x", problems=problems, refactorings_per_step=0), "")
    await label_batch(work, questions, AcceptingExecutor(), settings, job_id, range(len(problems)))
    job = jobs.get(job_id)
    assert job.mutants.survived == job.labels.unknown > 20
    assert (job.labels.positive, job.labels.negative) == (25, 0)
