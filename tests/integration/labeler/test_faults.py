"""Parts that die in the middle of a job: it loses nothing, doubles nothing, and ends with the same bytes.

Each test labels the same problems twice with the same seed, the first time undisturbed.
"""

import os
import signal
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import pytest

from services.client import LabelerClient, RetryPolicy, UnavailableError
from services.contracts import JobRequest, JobStatus
from services.labeler.app import create_app

pytestmark = pytest.mark.slow
FAKETIME = [str(path) for path in Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")]


@dataclass
class House:
    """All parts of a labeler; the executor and Redis are the test's own, to kill."""

    client: LabelerClient
    redis: object
    executor: object
    worker: object
    start_worker: object


@pytest.fixture(params=["one machine", "grown up"])
async def house(request, settings, executor_server, serve, start_worker):
    """SQLite and a Redis on a unix socket, or PostgreSQL and a Redis by host and port."""
    grown_up = request.param == "grown up"
    redis = request.getfixturevalue("tcp_redis_server" if grown_up else "redis_server")
    parts = {"redis_url": redis.url, "executor_url": executor_server.url, "requeue_every_s": 0.5}
    if grown_up:
        parts["database_url"] = request.getfixturevalue("new_postgres_database")
    settings = settings.model_copy(update=parts)
    worker = start_worker(settings)
    async with LabelerClient(serve(create_app(settings))) as client:
        yield House(client, redis, executor_server, worker, partial(start_worker, settings))


@pytest.fixture
def small_job(problems):
    many = [problem.model_copy(update={"id": f"{problem.id}-{number}"}) for number in range(2) for problem in problems]
    return JobRequest(name="many", problems=many, augmented_tests=16)


async def begun(client, request):
    """A job of which something is done and more is not."""
    job = await client.create_job(request)
    await done(client, job, 1)
    return job


async def done(client, job, problems):
    """Wait until so many of a job's problems are."""
    async for event in client.events(job.id):
        if event.problems.done >= problems:
            break


async def require_halfway(client, job):
    job = await client.job(job.id)
    assert job.status is JobStatus.RUNNING
    assert job.problems.done < job.problems.total


async def labels_of(client, job):
    """The job when it is over, and the bytes of its labels."""
    last = [event async for event in client.events(job.id)][-1]
    assert last.status is JobStatus.SUCCEEDED, last.error
    async with httpx.AsyncClient(base_url=client.base_url, trust_env=False) as http:
        return last, (await http.get(f"/jobs/{job.id}/labels")).content


def assert_nothing_lost_and_nothing_doubled(undisturbed, disturbed):
    (job, labels), (disturbed_job, disturbed_labels) = undisturbed, disturbed
    records, disturbed_records = Counter(labels.splitlines()), Counter(disturbed_labels.splitlines())
    assert (records - disturbed_records).total() == 0, "lost"
    assert (disturbed_records - records).total() == 0, "doubled, or new"
    assert len(records) > 100
    assert disturbed_labels == labels
    same = {"id": job.id, "created_at": job.created_at, "finished_at": job.finished_at}
    assert disturbed_job.model_copy(update=same) == job


async def test_a_killed_worker(house, small_job):
    undisturbed = await labels_of(house.client, await house.client.create_job(small_job))
    job = await begun(house.client, small_job)
    os.killpg(house.worker.pid, signal.SIGKILL)
    house.worker.wait()
    await require_halfway(house.client, job)
    house.start_worker()
    assert_nothing_lost_and_nothing_doubled(undisturbed, await labels_of(house.client, job))


async def test_a_killed_redis_that_comes_back_with_its_data(house, small_job):
    undisturbed = await labels_of(house.client, await house.client.create_job(small_job))
    job = await begun(house.client, small_job)
    house.redis.kill()
    await require_halfway(house.client, job)
    house.redis.start()
    assert_nothing_lost_and_nothing_doubled(undisturbed, await labels_of(house.client, job))


async def test_a_killed_redis_that_comes_back_empty(house, small_job):
    undisturbed = await labels_of(house.client, await house.client.create_job(small_job))
    job = await begun(house.client, small_job)
    house.redis.kill()
    await require_halfway(house.client, job)
    house.redis.forget()
    house.redis.start()
    assert_nothing_lost_and_nothing_doubled(undisturbed, await labels_of(house.client, job))


async def test_a_killed_executor_that_comes_back(house, small_job):
    undisturbed = await labels_of(house.client, await house.client.create_job(small_job))
    job = await begun(house.client, small_job)
    house.executor.kill()
    await require_halfway(house.client, job)
    house.executor.start()
    assert_nothing_lost_and_nothing_doubled(undisturbed, await labels_of(house.client, job))


@pytest.mark.parametrize("house", ["grown up"], indirect=True)
async def test_a_postgresql_that_crashes_and_comes_back(house, small_job, postgres):
    undisturbed = await labels_of(house.client, await house.client.create_job(small_job))
    job = await begun(house.client, small_job)
    postgres.kill(signal.SIGQUIT)
    postgres.start()
    await require_halfway(house.client, job)
    assert_nothing_lost_and_nothing_doubled(undisturbed, await labels_of(house.client, job))


@pytest.mark.parametrize("house", ["one machine"], indirect=True)
@pytest.mark.skipif(not FAKETIME, reason="libfaketime is not installed (Debian: libfaketime)")
async def test_a_clock_that_goes_forward_a_day_and_back_and_a_worker_that_dies_then(house, small_job, tmp_path):
    """The worker's wall clock is what a file says; set back, it has left moments in Redis that are a day away."""
    undisturbed = await labels_of(house.client, await house.client.create_job(small_job))
    os.killpg(house.worker.pid, signal.SIGKILL)
    house.worker.wait()
    clock = tmp_path / "clock"
    clock.write_text("+0")
    jumping = house.start_worker(
        LD_PRELOAD=FAKETIME[0],
        FAKETIME_TIMESTAMP_FILE=str(clock),
        FAKETIME_NO_CACHE="1",
        FAKETIME_DONT_FAKE_MONOTONIC="1",
    )
    job = await begun(house.client, small_job)
    clock.write_text("+1d")
    await done(house.client, job, 3)
    clock.write_text("+0")
    os.killpg(jumping.pid, signal.SIGKILL)
    jumping.wait()
    await require_halfway(house.client, job)
    house.start_worker()
    assert_nothing_lost_and_nothing_doubled(undisturbed, await labels_of(house.client, job))


async def test_a_disk_that_is_full_for_a_while(
    settings, executor_server, serve, start_worker, small_job, small_disk, fill, wait_until
):
    settings = settings.model_copy(
        update={"database_url": f"sqlite:///{small_disk / 'labeler.db'}", "executor_url": executor_server.url}
    )
    start_worker(settings)
    async with LabelerClient(serve(create_app(settings)), retry=RetryPolicy(attempts=1)) as client:
        undisturbed = await labels_of(client, await client.create_job(small_job))
        job = await begun(client, small_job)
        filler = fill(small_disk)
        with pytest.raises(UnavailableError):
            await client.create_job(small_job)
        await require_halfway(client, job)
        filler.unlink()
        assert_nothing_lost_and_nothing_doubled(undisturbed, await labels_of(client, job))
