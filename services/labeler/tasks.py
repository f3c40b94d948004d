"""The one task of the queue: label a batch of problems."""

import asyncio
from functools import cache

from celery import Celery, Task

from services.client import ExecutorClient
from services.contracts.request_id import current_request_id
from services.labeler.batch import label_batch
from services.labeler.broker import ASKED, LABEL_PROBLEMS, Lease
from services.labeler.settings import LabelerSettings
from services.labeler.storage import Database, QuestionRepository, WorkRepository
from services.tracing import span

_LONGEST_CHUNK_S = 300.0


def register_tasks(celery: Celery, settings: LabelerSettings) -> None:
    """Give `celery` the task; it opens what it needs, for nothing that is open survives a worker's fork."""

    @cache
    def database() -> Database:
        """The one of this process, for its connection and its compiled queries serve all its tasks."""
        return Database(settings.database_url)

    @celery.task(name=LABEL_PROBLEMS, bind=True)
    def label_problems(task: Task[..., None], job_id: str, positions: list[int]) -> None:
        properties = task.request.properties or {}
        lease = Lease(settings, properties["delivery_tag"])
        asked = task.request.get(ASKED) or {}
        token = current_request_id.set(asked.get("request_id"))
        try:
            with span("label problems", "consumer", caller=asked, job_id=job_id, problems=len(positions)):
                asyncio.run(_label(settings, database(), lease, job_id, positions))
        finally:
            current_request_id.reset(token)


async def _label(
    settings: LabelerSettings, database: Database, lease: Lease, job_id: str, positions: list[int]
) -> None:
    keeping = asyncio.create_task(lease.keep())
    try:
        async with ExecutorClient(settings.executor_url, timeout_s=_LONGEST_CHUNK_S) as executor:
            questions = QuestionRepository(database, claim_s=settings.teacher_timeout_s)
            await label_batch(WorkRepository(database), questions, executor, settings, job_id, positions)
    finally:
        keeping.cancel()
        lease.close()
