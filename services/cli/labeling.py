"""A labelling job from the outside: start it, follow it to its end, fetch what it made."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Literal

from services.cli.atomic_file import bytes_written_whole, written_whole
from services.client import LabelerClient, NoAnswerError
from services.contracts import Job, JobRequest
from trainer.progress import progress_bar

Format = Literal["jsonl", "trl", "parquet"]

_RECONNECT_S = 1.0
_SILENCE_S = 600.0


def follow(url: str, request: JobRequest, *, cancel_if_interrupted: bool = True) -> Job:
    """Run a job to its end under a progress bar."""
    with progress_bar(f"labelling {request.name}", total=len(request.problems)) as bar:

        def on_change(job: Job) -> None:
            bar.move_to(job.problems.done, note=f"{job.labels.positive} positive, {job.labels.negative} negative")

        return asyncio.run(run_job(url, request, on_change, cancel_if_interrupted=cancel_if_interrupted))


async def run_job(
    url: str, request: JobRequest, on_change: Callable[[Job], None], *, cancel_if_interrupted: bool = True
) -> Job:
    """Send `request` and follow the job until it is final; `on_change` is given each state of it.

    A broken stream of events is taken up again. With `cancel_if_interrupted` a job that nobody waits for any more is
    cancelled; else it goes on, and the same request with its idempotency key finds it again.
    """
    async with LabelerClient(url, timeout_s=_SILENCE_S) as client:
        job = await client.create_job(request)
        try:
            async for state in _states(client, job):
                on_change(state)
        except asyncio.CancelledError:
            if cancel_if_interrupted:
                await client.cancel(job.id)
            raise
        return state


async def _states(client: LabelerClient, job: Job) -> AsyncIterator[Job]:
    yield job
    while not job.status.final:
        try:
            async for event in client.events(job.id):
                yield event
        except NoAnswerError:
            await asyncio.sleep(_RECONNECT_S)
        job = await client.job(job.id)
        yield job


async def export(url: str, job_id: str, path: Path, form: Format = "jsonl") -> int | None:
    """Write the job's labels to `path` as the labeler streams them, whole or not at all.

    Returns the number of records, or None for Parquet, whose footer alone knows it.
    """
    count = 0
    async with LabelerClient(url, timeout_s=_SILENCE_S) as client:
        with bytes_written_whole(path) as file:
            async for piece in client.export(job_id, form):
                file.write(piece)
                count += piece.count(b"\n")
    return None if form == "parquet" else count


async def save_card(url: str, job_id: str, path: Path) -> None:
    """Write the job's data card to `path`, whole or not at all."""
    async with LabelerClient(url, timeout_s=_SILENCE_S) as client:
        card = await client.card(job_id)
    with written_whole(path) as file:
        file.write(card)
