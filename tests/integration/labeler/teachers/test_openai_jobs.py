"""Jobs whose teacher is a chat model: from `POST /jobs` to their labels, through Redis, workers and the executor."""

import os
import signal
import sqlite3
import threading
from collections import Counter

import pytest
from fastapi import Response

from services.client.errors import RequestError
from services.contracts import Budget, JobRequest, JobStatus, OpenAITeacher, Origin, Outcome, split_steps
from services.labeler.solution import read_solution

KEY = "sk-a-secret-that-nobody-may-see"


@pytest.fixture
def settings(settings):
    return settings.model_copy(update={"teacher_timeout_s": 3.0, "teacher_patience_s": 30.0, "problems_per_task": 2})


async def finished(client, job):
    return [event async for event in client.events(job.id)][-1]


async def labels_of(client, job):
    return [record async for record in client.labels(job.id)]


def request_for(problems, url, **fields):
    teacher = OpenAITeacher(base_url=url, model="scripted", **fields)
    return JobRequest(name="taught", problems=problems, teacher=teacher, augmented_tests=4)


def questions_in(problems):
    """Two for each line with code on it."""
    return 2 * sum(step.kind == "code" for one in problems for step in split_steps(read_solution(one.solution).code))


@pytest.mark.slow
async def test_a_model_teaches_a_job_and_its_key_is_kept_nowhere(
    client, settings, start_worker, problems, chat_model, model_url, monkeypatch, capfd
):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    start_worker(settings)
    budget = Budget(prompt_price=1.0, completion_price=2.0)
    request = request_for(problems, model_url, api_key_env="OPENAI_API_KEY", budget=budget)
    job = await finished(client, await client.create_job(request))

    assert (job.status, job.problems.rejected) == (JobStatus.SUCCEEDED, 0)
    asked = questions_in(problems)
    assert len(chat_model.bodies) == job.teaching.questions == job.teaching.requests == asked
    assert (job.teaching.prompt_tokens, job.teaching.completion_tokens) == (100 * asked, 10 * asked)
    assert job.teaching.cost == pytest.approx(asked * 120 / 1e6)
    assert job.teaching.malformed > asked
    assert job.teaching.unanswered == 0
    assert job.mutants.killed > 10

    solutions = {problem.id: read_solution(problem.solution).code for problem in problems}
    records = await labels_of(client, job)
    assert {record.operator for record in records} == {None, "mutate", "refactor"}
    assert {record.teacher for record in records} == {"openai:scripted"}
    for record in records:
        before, after = solutions[record.problem_id].split("\n"), record.code.split("\n")
        differing = [index for index, (one, other) in enumerate(zip(before, after, strict=True)) if one != other]
        assert "oops" not in record.code
        if record.origin is Origin.MUTATION:
            assert differing == [record.changed_step]
            assert record.steps[record.changed_step].label == 0
    refactorings = [record for record in records if record.origin is Origin.REFACTORING]
    assert {step.label for record in refactorings for step in record.steps} <= {1, None}

    assert chat_model.authorizations == {f"Bearer {KEY}"}
    kept = b"".join(path.read_bytes() for path in settings.data_dir.rglob("*") if path.is_file())
    said = capfd.readouterr()
    assert KEY.encode() not in kept
    assert KEY not in said.out + said.err + job.model_dump_json()


@pytest.mark.slow
async def test_a_server_that_falters_changes_no_label_and_a_second_job_asks_nothing(
    client, settings, start_worker, problems, chat_model, model_url
):
    start_worker(settings)
    request = request_for(problems[:2], model_url)
    steady = await finished(client, await client.create_job(request))
    first = len(chat_model.bodies)

    again = await finished(client, await client.create_job(request.model_copy(update={"name": "again"})))
    assert len(chat_model.bodies) == first
    assert (again.teaching.requests, again.teaching.cost) == (0, 0)
    assert again.teaching.questions == first
    assert await labels_of(client, again) == await labels_of(client, steady)

    forget_replies(settings)
    chat_model.faults = [
        Response(status_code=429, headers={"Retry-After": "0.2"}),
        Response(status_code=429, headers={"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}),
        Response(status_code=500),
        Response("{broken", media_type="application/json"),
        Response('{"choices": []}', media_type="application/json"),
        Response("\x00" * 5_000_000),
        Response(status_code=503),
    ]
    chat_model.bodies.clear()
    shaken = await finished(client, await client.create_job(request))
    assert len(chat_model.bodies) == first + 7
    assert (shaken.teaching.requests, shaken.teaching.unanswered) == (first, 0)
    assert await labels_of(client, shaken) == await labels_of(client, steady)


def forget_replies(settings):
    with sqlite3.connect(settings.data_dir / "labeler.db") as database:
        database.execute("DELETE FROM teacher_requests")
    database.close()


@pytest.mark.slow
async def test_a_killed_worker_asks_no_answered_question_twice_and_loses_nothing(
    client, settings, start_worker, wait_until, problems, chat_model, model_url
):
    answered, open_again = threading.Semaphore(15), threading.Event()
    answer, known = chat_model.answer, []

    def answer_fifteen(body):
        if not answered.acquire(blocking=False):
            open_again.wait(60)
        else:
            known.append(body["messages"][0]["content"])
        return answer(body)

    chat_model.answer = answer_fifteen
    worker = start_worker(settings)
    job = await client.create_job(request_for(problems, model_url))
    try:
        while (await client.job(job.id)).teaching.completion_tokens < 150:
            assert (await client.job(job.id)).status in (JobStatus.QUEUED, JobStatus.RUNNING)
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
    finally:
        open_again.set()
    chat_model.answer = answer
    start_worker(settings)
    disturbed = await finished(client, job)

    times = Counter(body["messages"][0]["content"] for body in chat_model.bodies)
    assert len(known) == 15
    assert {times[question] for question in known} == {1}
    assert len(times) == disturbed.teaching.questions == questions_in(problems)

    forget_replies(settings)
    undisturbed = await finished(client, await client.create_job(request_for(problems, model_url)))
    assert await labels_of(client, disturbed) == await labels_of(client, undisturbed)
    assert disturbed.mutants == undisturbed.mutants


@pytest.mark.slow
async def test_the_budget_is_kept_by_all_workers_together_and_the_job_ends_well(
    client, settings, start_worker, problems, chat_model, model_url
):
    start_worker(settings)
    start_worker(settings)
    budget = Budget(max_requests=7)
    job = await finished(client, await client.create_job(request_for(problems, model_url, budget=budget)))
    assert (job.status, len(chat_model.bodies), job.teaching.requests) == (JobStatus.SUCCEEDED, 7, 7)
    assert job.teaching.unanswered == questions_in(problems) - 7

    budget = Budget(max_tokens=0)
    more = await finished(
        client, await client.create_job(request_for(problems, model_url, budget=budget, temperature=0.1))
    )
    assert (more.status, more.teaching.requests, len(chat_model.bodies)) == (JobStatus.SUCCEEDED, 0, 7)


async def test_a_job_that_waits_for_a_silent_model_can_be_cancelled(
    client, settings, start_worker, wait_until, problems, chat_model, model_url
):
    silent = threading.Event()
    chat_model.answer = lambda _: silent.wait(60) and ""
    start_worker(settings.model_copy(update={"teacher_timeout_s": 600.0}))
    job = await client.create_job(request_for(problems, model_url))
    try:
        while not (await client.job(job.id)).teaching.requests:
            pass
        await client.cancel(job.id)
        other = await client.create_job(JobRequest(name="wanted", problems=problems[:1]))
        assert (await finished(client, other)).status is JobStatus.SUCCEEDED
    finally:
        silent.set()


@pytest.mark.parametrize(
    ("status", "reason"),
    [(401, "can't be asked: status 401"), (404, "can't be asked: status 404"), (307, "can't be asked: status 307")],
)
async def test_a_model_that_may_not_be_asked_fails_the_job_with_the_reason(
    client, settings, start_worker, problems, chat_model, model_url, status, reason
):
    chat_model.answer = lambda _: Response(status_code=status, headers={"Location": "http://127.0.0.1:1/"})
    start_worker(settings)
    job = await finished(client, await client.create_job(request_for(problems, model_url)))
    assert job.status is JobStatus.FAILED
    assert job.error == f"the model at {model_url} {reason}"


async def test_a_question_that_the_server_refuses_is_counted_and_the_rest_goes_on(
    client, settings, start_worker, problems, chat_model, model_url
):
    answer = chat_model.answer

    def refuse_refactorings(body):
        return Response(status_code=400) if "means the\nsame" in body["messages"][0]["content"] else answer(body)

    chat_model.answer = refuse_refactorings
    start_worker(settings)
    job = await finished(client, await client.create_job(request_for(problems, model_url)))
    assert (job.status, job.teaching.unanswered) == (JobStatus.SUCCEEDED, questions_in(problems) // 2)
    assert job.mutants.killed > 10


async def test_without_its_key_or_its_server_a_job_fails_and_says_so(
    client, settings, start_worker, problems, model_url, free_port
):
    start_worker(settings.model_copy(update={"teacher_patience_s": 0.0}))
    keyless = request_for(problems[:1], model_url, api_key_env="DEEPSEEK_API_KEY")
    job = await finished(client, await client.create_job(keyless))
    assert (job.status, job.error) == (
        JobStatus.FAILED,
        "the variable DEEPSEEK_API_KEY is not set where the worker runs",
    )
    nobody = request_for(problems[:1], f"http://127.0.0.1:{free_port}/v1")
    job = await finished(client, await client.create_job(nobody))
    assert job.error == f"the model at http://127.0.0.1:{free_port}/v1 gave no answer: no connection (ConnectError)"


async def test_a_server_that_the_operator_has_not_named_is_refused_at_once(client, problems):
    for fields, complaint in (
        ({"base_url": "http://169.254.169.254/v1"}, "LINEWISE_LABELER_TEACHER_HOSTS"),
        ({"base_url": "http://127.0.0.1/v1", "api_key_env": "LINEWISE_API_KEYS"}, "LINEWISE_LABELER_TEACHER_KEY_NAMES"),
    ):
        teacher = OpenAITeacher(model="m", **fields)
        with pytest.raises(RequestError, match=complaint) as caught:
            await client.create_job(JobRequest(name="x", problems=problems, teacher=teacher))
        assert (caught.value.status, caught.value.code) == (400, "teacher_not_allowed")


@pytest.mark.slow
async def test_nonsense_from_a_real_server_is_counted_and_crashes_nothing(
    client, settings, start_worker, problems, transformers_url, tiny_model
):
    """`transformers serve` with a model of random weights."""
    settings = settings.model_copy(update={"teacher_timeout_s": 60.0})
    start_worker(settings)
    teacher = OpenAITeacher(base_url=transformers_url, model=str(tiny_model), max_tokens=24, concurrency=2)
    request = JobRequest(name="nonsense", problems=problems[:2], teacher=teacher, augmented_tests=0)
    job = await finished(client, await client.create_job(request))
    assert (job.status, job.teaching.unanswered) == (JobStatus.SUCCEEDED, 0)
    assert job.teaching.malformed == job.teaching.requests == job.teaching.questions == questions_in(problems[:2])
    assert job.teaching.completion_tokens > 0
    assert job.mutants.total == 0
    assert job.labels.positive > 0
    assert Outcome.KILLED not in {mutant.outcome async for mutant in client.mutants(job.id)}
