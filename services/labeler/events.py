"""Server-sent events: a job, sent whenever it has changed, until it is over."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

from services.contracts import Job
from services.kit.drain import Drain
from services.labeler.errors import DatabaseAwayError

_HEARTBEAT_S = 15.0


async def job_events(read: Callable[[], Job], drain: Drain, *, poll_s: float) -> AsyncIterator[str]:
    """Events in the form of https://html.spec.whatwg.org/multipage/server-sent-events.html.

    The stream outlives an outage of the database. It ends behind the event of a job that is over, or when the service
    drains. A comment is sent now and then so that nobody between the two ends takes the silence for death.
    """
    sent: Job | None = None
    sent_at = time.monotonic()
    while not drain.begun:
        job = await _look(read)
        if job is not None and job != sent:
            yield f"data: {job.model_dump_json()}\n\n"
            sent, sent_at = job, time.monotonic()
        elif time.monotonic() - sent_at > _HEARTBEAT_S:
            yield ": still here\n\n"
            sent_at = time.monotonic()
        if job is not None and job.status.final:
            return
        await asyncio.sleep(poll_s)


async def _look(read: Callable[[], Job]) -> Job | None:
    """The job, or None while the database is away: whoever follows a job need not know of that."""
    try:
        return await asyncio.to_thread(read)
    except DatabaseAwayError:
        return None
