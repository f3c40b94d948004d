"""Jobs from `POST /jobs` to their labels, through real processes: Redis, Celery workers, the executor."""

from collections import Counter

import httpx
import pytest

from services.client import LabelerClient
from services.client.errors import RequestError
from services.contracts import JobRequest, JobStatus, LabelRecord, Origin, Outcome, Verdict, split_steps
from services.labeler.app import create_app


async def finished(client, job):
    """The job once it is over."""
    return [event async for event in client.events(job.id)][-1]


async def labels_of(client, job, **query):
    return [record async for record in client.labels(job.id, **query)]


@pytest.fixture
async def client(settings, serve):
    async with LabelerClient(serve(create_app(settings))) as client:
        yield client


@pytest.mark.slow
async def test_a_job_labels_references_mutants_and_refactorings_on_either_database(
    settings, database_url, serve, start_worker, problems
):
    settings = settings.model_copy(update={"database_url": database_url})
    start_worker(settings)
    async with LabelerClient(serve(create_app(settings))) as client:
        broken = problems[0].model_copy(update={"id": "broken", "solution": "def total(xs):\n    return 0\n"})
        unreadable = problems[0].model_copy(update={"id": "unreadable", "solution": "def total(xs:\n"})
        job = await client.create_job(JobRequest(name="small", problems=[*problems, broken, unreadable]))
        seen = [event async for event in client.events(job.id)]
        labels = await labels_of(client, job)
        mutants = [mutant async for mutant in client.mutants(job.id)]
        trl = [record async for record in client.trl_labels(job.id)]

    last = seen[-1]
    assert last.status is JobStatus.SUCCEEDED
    assert last.finished_at is not None
    assert (last.problems.total, last.problems.done, last.problems.rejected) == (7, 7, 2)
    assert {item.id: item.reason for item in last.rejected} == {
        "broken": "the reference solution fails its own tests: wrong_answer at test 1",
        "unreadable": "the solution does not compile",
    }
    outcomes = Counter(mutant.outcome for mutant in mutants if mutant.origin is Origin.MUTATION)
    assert outcomes[Outcome.KILLED] == last.mutants.killed > 20
    assert outcomes[Outcome.SURVIVED] == last.mutants.survived == last.labels.unknown
    assert last.mutants.total == sum(outcomes.values())
    marks = Counter(step.label for record in labels for step in record.steps)
    assert (marks[1], marks[0]) == (last.labels.positive, last.labels.negative)
    assert len(trl) == len(labels)
    for record in labels:
        assert_follows_the_label_rules(record)
    assert {record.problem_id for record in labels} == {problem.id for problem in problems}


def assert_follows_the_label_rules(record: LabelRecord) -> None:
    steps = split_steps(record.code)
    assert [(step.start, step.end) for step in record.steps] == [(step.start, step.end) for step in steps]
    marks = [step.label for step in record.steps]
    code = [index for index, step in enumerate(steps) if step.kind == "code"]
    if record.origin is Origin.REFERENCE or record.verdict is Verdict.ACCEPTED:
        assert record.origin is not Origin.MUTATION
        assert [index for index, mark in enumerate(marks) if mark == 1] == code
        assert 0 not in marks
    else:
        changed = record.changed_step
        assert marks[changed] == 0
        assert set(marks[changed + 1 :]) <= {None}
        assert [index for index, mark in enumerate(marks) if mark == 1] == [at for at in code if at < changed]
        assert record.killed_by is not None


async def test_cancelling_stops_a_job_and_keeps_it_stopped(client, settings, start_worker, problems):
    job = await client.create_job(JobRequest(name="unwanted", problems=problems))
    cancelled = await client.cancel(job.id)
    assert cancelled.status is JobStatus.CANCELLED
    assert (await client.cancel(job.id)) == cancelled

    start_worker(settings)
    wanted = await client.create_job(JobRequest(name="wanted", problems=problems[:1]))
    assert (await finished(client, wanted)).status is JobStatus.SUCCEEDED
    assert (await client.job(job.id)).problems.done == 0


async def test_an_executor_that_stays_away_fails_the_job_with_the_reason(
    settings, serve, start_worker, problems, free_port
):
    settings = settings.model_copy(update={"executor_url": f"http://127.0.0.1:{free_port}", "executor_patience_s": 0.0})
    start_worker(settings)
    async with LabelerClient(serve(create_app(settings))) as client:
        job = await finished(client, await client.create_job(JobRequest(name="lost", problems=problems[:1])))
    assert job.status is JobStatus.FAILED
    assert job.error.startswith("the executor gave no answer")


async def test_an_idempotency_key_makes_one_job_of_equal_requests_and_refuses_others(client, problems):
    body = JobRequest(name="once", problems=problems[:1], idempotency_key="k").model_dump(mode="json")
    async with httpx.AsyncClient(base_url=client.base_url, trust_env=False) as http:
        first = await http.post("/jobs", json=body)
        again = await http.post("/jobs", json=body)
        other = await http.post("/jobs", json=body | {"seed": 1})
    assert (first.status_code, again.status_code, other.status_code) == (202, 200, 409)
    assert first.json()["id"] == again.json()["id"]
    assert other.json()["error"]["details"] == {"job_id": first.json()["id"]}


async def test_duplicate_problem_ids_are_refused_by_name(client, problems):
    with pytest.raises(RequestError) as caught:
        await client.create_job(JobRequest(name="twice", problems=[problems[0], *problems]))
    assert (caught.value.status, caught.value.code) == (400, "duplicate_problem_ids")
    assert caught.value.details == [problems[0].id]


async def test_an_unknown_job_is_404_on_every_route(client):
    async with httpx.AsyncClient(base_url=client.base_url, trust_env=False) as http:
        for path in ("", "/events", "/mutants", "/labels"):
            reply = await http.get(f"/jobs/nothing{path}")
            assert (reply.status_code, reply.json()["error"]["code"]) == (404, "unknown_job")
        assert (await http.delete("/jobs/nothing")).status_code == 404


async def test_malformed_requests_name_the_field(client, problems):
    body = JobRequest(name="x", problems=problems[:1]).model_dump(mode="json")
    body["problems"][0].pop("solution")
    async with httpx.AsyncClient(base_url=client.base_url, trust_env=False) as http:
        reply = await http.post("/jobs", json=body)
        bad_cursor = await http.get(
            f"/jobs/{(await client.create_job(JobRequest(name='y', problems=problems))).id}/mutants?cursor=x"
        )
    assert (reply.status_code, reply.json()["error"]["details"][0]["path"]) == (422, "problems[0].solution")
    assert (bad_cursor.status_code, bad_cursor.json()["error"]["code"]) == (400, "bad_cursor")


async def test_jobs_are_listed_newest_first_in_pages(client, problems):
    ids = [(await client.create_job(JobRequest(name=f"{n}", problems=problems[:1]))).id for n in range(3)]
    await client.cancel(ids[0])
    first = await client.jobs(limit=2)
    second = await client.jobs(limit=2, cursor=first.next_cursor)
    assert sorted(job.id for job in [*first.jobs, *second.jobs]) == sorted(ids)
    assert second.next_cursor is None
    assert [job.id for job in (await client.jobs(status=JobStatus.CANCELLED)).jobs] == [ids[0]]
