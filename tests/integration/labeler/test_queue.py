"""What the queue promises of a task that takes long, is no longer wanted, or meets a busy executor."""

import os
import signal

import pytest
from sqlalchemy import create_engine, text

from services.client import LabelerClient
from services.contracts import JobRequest, JobStatus, Problem
from services.labeler.app import create_app

pytestmark = pytest.mark.slow

SLOW = """
import time
def slow(x):
    time.sleep({sleep_s})
    y = x + 1
    if y > 10:
        y = y * 2
    elif y < 0:
        y = 0 - y
    z = y - 3
    while z > 100:
        z = z // 2
    return z + y
"""


def slow_problem(sleep_s):
    return Problem(id="slow", prompt="", solution=SLOW.format(sleep_s=sleep_s), tests=["assert slow(1) == 1"])


@pytest.fixture
def settings(settings, executor_server):
    return settings.model_copy(update={"executor_url": executor_server.url})


@pytest.fixture
async def client(settings, serve):
    async with LabelerClient(serve(create_app(settings))) as client:
        yield client


async def finished(client, job):
    return [event async for event in client.events(job.id)][-1]


async def test_cancelling_stops_the_programs_that_run_and_frees_the_worker(
    client, settings, executor_server, start_worker, wait_until, problems
):
    start_worker(settings)
    job = await client.create_job(JobRequest(name="unwanted", problems=[slow_problem(1)]))
    wait_until(lambda: executor_server.metric("executor_queued_programs") > 10, "a chunk of mutants waits and runs")
    await client.cancel(job.id)
    wait_until(
        lambda: executor_server.metric("executor_abandoned_programs_total") > 10, "the executor gave the chunk up"
    )
    wait_until(lambda: executor_server.metric("executor_running_programs") == 0, "nothing runs any more")

    wanted = await client.create_job(JobRequest(name="wanted", problems=problems[:1]))
    assert (await finished(client, wanted)).status is JobStatus.SUCCEEDED
    cancelled = await client.job(job.id)
    assert (cancelled.status, cancelled.problems.done, cancelled.mutants.total) == (JobStatus.CANCELLED, 0, 0)


async def test_a_task_that_takes_longer_than_a_worker_may_be_silent_is_given_to_nobody_else(
    client, settings, start_worker
):
    for _ in range(2):
        start_worker(settings)
    job = await client.create_job(JobRequest(name="long", problems=[slow_problem(0.4)]))
    ended = await finished(client, job)
    assert ended.status is JobStatus.SUCCEEDED
    assert ended.mutants.total - ended.mutants.incompetent > 20  # so many naps of 0.4 s, two at a time
    engine = create_engine(settings.database_url)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT attempts FROM problems")).scalars().all() == [1]
    engine.dispose()


async def test_a_busy_executor_with_a_short_queue_costs_time_and_no_label(
    client, settings, start_executor, start_worker, problems
):
    request = JobRequest(name="same", problems=problems, augmented_tests=4)
    worker = start_worker(settings)
    at_once = await finished(client, await client.create_job(request))
    os.killpg(worker.pid, signal.SIGKILL)

    busy = start_executor(LINEWISE_EXECUTOR_QUEUE_SIZE="16", LINEWISE_EXECUTOR_WORKERS="1")
    start_worker(settings.model_copy(update={"executor_url": busy.url}))
    in_turn = await finished(client, await client.create_job(request))
    assert busy.metric("http_requests_total", 'status="413"') > 0
    assert busy.metric("http_requests_total", 'status="429"') > 0
    assert in_turn.status is JobStatus.SUCCEEDED
    assert await labels_of(client, in_turn) == await labels_of(client, at_once)


async def labels_of(client, job):
    return [record async for record in client.labels(job.id)]
