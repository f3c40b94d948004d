"""The labeler's routes, as `api.md` has them."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import PlainTextResponse, StreamingResponse

from services.contracts import Job, JobRequest, JobsPage, JobStatus, MutantsPage
from services.kit.drain import Drain
from services.labeler.events import job_events
from services.labeler.exports import MEDIA_TYPES, Format, export
from services.labeler.service import JobService
from services.labeler.splits import Split

Limit = Annotated[int, Query(ge=1, le=1000)]


def job_router(service: JobService, *, events_poll_s: float) -> APIRouter:
    """All routes under `/jobs`."""
    router = APIRouter(prefix="/jobs", tags=["jobs"])

    @router.post("", status_code=202, responses={200: {"model": Job, "description": "The first job with this key."}})
    def create_job(request: JobRequest, response: Response) -> Job:
        """Label the reference solutions of these problems; 202, then follow the job.

        The same idempotency key with the same body answers the first job (200), with another body 409.
        """
        job, new = service.create(request)
        response.status_code = 202 if new else 200
        return job

    @router.get("")
    def list_jobs(status: JobStatus | None = None, limit: Limit = 50, cursor: str | None = None) -> JobsPage:
        """The newest first; `next_cursor` is the `cursor` of the next page."""
        return service.page(status, limit, cursor)

    @router.get("/{job_id}")
    def get_job(job_id: str) -> Job:
        """How far it is, what came out so far, and which problems were rejected."""
        return service.get(job_id)

    @router.delete("/{job_id}")
    def cancel_job(job_id: str) -> Job:
        """Cancel a job; what it made so far can still be read. A job that is over stays as it is."""
        return service.cancel(job_id)

    @router.get("/{job_id}/events", response_model=None, responses=_sent_as("text/event-stream"))
    def follow_job(job_id: str, request: Request) -> StreamingResponse:
        """Server-sent events: the job, on each change, until it is over."""
        service.get(job_id)
        drain: Drain = request.app.state.drain
        events = job_events(lambda: service.get(job_id), drain, poll_s=events_poll_s)
        return StreamingResponse(events, media_type="text/event-stream", headers={"Cache-Control": "no-store"})

    @router.get("/{job_id}/mutants")
    def list_mutants(job_id: str, limit: Limit = 200, cursor: str | None = None) -> MutantsPage:
        """Mutations and refactorings with their outcomes, survivors and incompetent ones among them."""
        return service.mutants(job_id, limit, cursor)

    @router.get("/{job_id}/labels", response_model=None, responses=_sent_as(*MEDIA_TYPES.values()))
    def stream_labels(job_id: str, format: Format = "jsonl", split: Split | None = None) -> StreamingResponse:
        """A file of labels; of a job that runs still, the labels so far.

        `jsonl`: one `LabelRecord` a line, for each program that has labels. `trl`: TRL's stepwise supervision, one a
        line. `parquet`: the records as columns. `split`: 80, 10 and 10 % of the problems, told apart by a hash of
        their ids.
        """
        return StreamingResponse(export(service.labels(job_id, split), format), media_type=MEDIA_TYPES[format])

    @router.get("/{job_id}/card", response_model=None, responses=_sent_as("text/markdown"))
    def show_card(job_id: str) -> PlainTextResponse:
        """The data card in Markdown: counts, noise estimates, rejected problems, settings, versions, licence."""
        return PlainTextResponse(service.card(job_id), media_type="text/markdown")

    return router


def _sent_as(*media_types: str) -> dict[int | str, dict[str, Any]]:
    """What a route documents that answers with text or bytes; its errors stay JSON."""
    return {200: {"content": {media_type: {} for media_type in media_types}}}
