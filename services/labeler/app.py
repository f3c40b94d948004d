"""The labeler's web service."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from services.contracts import Readiness
from services.kit.app import build_app
from services.labeler.broker import Broker, BrokerDownError
from services.labeler.errors import DatabaseAwayError
from services.labeler.metrics import LabelerCollector
from services.labeler.page_routes import LabelerPage
from services.labeler.page_service import PageService
from services.labeler.routes import job_router
from services.labeler.service import JobService
from services.labeler.settings import LabelerSettings
from services.labeler.storage import BrowsingRepository, Database, JobRepository, ResultRepository, TallyRepository
from services.labeler.teachers import Allowed


def create_app(settings: LabelerSettings | None = None) -> FastAPI:
    """The app; it opens database and queue when it starts, and `StartupError` says which of them is missing."""
    settings = settings or LabelerSettings()
    database = Database(settings.database_url)
    broker = Broker(settings)
    jobs, tallies = JobRepository(database), TallyRepository(database)
    service = JobService(
        jobs,
        ResultRepository(database),
        tallies,
        broker,
        problems_per_task=settings.problems_per_task,
        allowed=Allowed(settings.teacher_hosts, settings.teacher_key_names),
    )
    registry = CollectorRegistry()
    registry.register(LabelerCollector(jobs, broker))
    page = LabelerPage(PageService(service, jobs, tallies, BrowsingRepository(database)))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(database.open, migrate=settings.migrate_at_start)
        await asyncio.to_thread(broker.require)
        await asyncio.to_thread(service.resume)
        watching = asyncio.create_task(_watch_queue(service, settings.requeue_every_s))
        yield
        watching.cancel()
        broker.close()
        database.close()

    async def readiness() -> Readiness:
        reason = await asyncio.to_thread(_what_is_down, broker, database)
        return Readiness(ready=reason is None, reason=reason)

    return build_app(
        name="labeler",
        summary="Process labels for code, by mutation, refactoring and execution.",
        settings=settings,
        routers=[job_router(service, events_poll_s=settings.events_poll_s)],
        registry=registry,
        readiness=readiness,
        lifespan=lifespan,
        front_page=page.front,
        max_waiting=settings.max_waiting,
    )


async def _watch_queue(service: JobService, every_s: float) -> None:
    """Look again and again whether the queue has lost what the database knows to be pending."""
    while True:
        await asyncio.sleep(every_s)
        with suppress(BrokerDownError, DatabaseAwayError):
            await asyncio.to_thread(service.requeue_lost)


def _what_is_down(broker: Broker, database: Database) -> str | None:
    try:
        broker.ping()
    except BrokerDownError as error:
        return f"{error}; start it or set LINEWISE_REDIS_URL"
    return database.ping()
