"""What the labeler says, and keeps, when a part of it is not there."""

import pytest
from redis import Redis

from services.client import LabelerClient
from services.client.errors import UnavailableError
from services.client.retry import RetryPolicy
from services.contracts import JobRequest, JobStatus
from services.kit.errors import StartupError
from services.labeler.app import create_app
from services.labeler.settings import LabelerSettings
from services.labeler.worker import run_worker


async def test_without_redis_nothing_starts_and_one_sentence_says_why(tmp_path):
    settings = LabelerSettings(data_dir=tmp_path)
    promise = r"no Redis at unix://.*redis\.sock; start `linewise up` or set LINEWISE_REDIS_URL$"
    app = create_app(settings)
    with pytest.raises(StartupError, match=promise):
        async with app.router.lifespan_context(app):
            pass
    with pytest.raises(StartupError, match=promise):
        run_worker(settings, concurrency=1)


async def test_a_database_that_does_not_answer_is_named_without_its_password(tmp_path, redis_server, free_port):
    url = f"postgresql://linewise:secret@127.0.0.1:{free_port}/labels"
    app = create_app(LabelerSettings(data_dir=tmp_path, redis_url=redis_server.url, database_url=url))
    with pytest.raises(StartupError, match="no database at postgresql") as caught:
        async with app.router.lifespan_context(app):
            pass
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["mysql://localhost/x", "no url", "sqlite://"])
def test_a_database_of_another_kind_is_refused_at_once(tmp_path, url):
    with pytest.raises(StartupError, match="LINEWISE_DATABASE_URL"):
        create_app(LabelerSettings(data_dir=tmp_path, database_url=url))


async def test_a_job_that_cannot_be_queued_is_refused_and_leaves_no_ghost(settings, redis_server, serve, problems):
    request = JobRequest(name="ghost", problems=problems)
    retry = RetryPolicy(attempts=1)
    async with LabelerClient(serve(create_app(settings)), retry=retry) as client:
        assert (await client.ready()).ready
        redis_server.stop()
        with pytest.raises(UnavailableError, match="no Redis"):
            await client.create_job(request)
        readiness = await client.ready()
        assert not readiness.ready
        assert "no Redis" in readiness.reason
        assert (await client.jobs()).jobs == []

        redis_server.start()
        assert (await client.ready()).ready
        assert (await client.create_job(request)).status is JobStatus.QUEUED


async def test_a_restarted_labeler_queues_again_what_the_queue_has_lost(
    settings, redis_server, serve, start_worker, problems
):
    async with LabelerClient(serve(create_app(settings))) as client:
        job = await client.create_job(JobRequest(name="lost", problems=problems))
    with Redis.from_url(settings.redis_url) as redis:
        redis.flushall()
    start_worker(settings)
    async with LabelerClient(serve(create_app(settings))) as client:
        async for event in client.events(job.id):
            last = event
    assert last.status is JobStatus.SUCCEEDED
