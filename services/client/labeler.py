"""The client of the labeler."""

import uuid
from collections.abc import AsyncIterator
from typing import Literal

from services.client.http import ServiceClient
from services.contracts import (
    Job,
    JobRequest,
    JobsPage,
    JobStatus,
    LabelRecord,
    Mutant,
    MutantsPage,
    TrlRecord,
)

Split = Literal["train", "validation", "test"]
Format = Literal["jsonl", "trl", "parquet"]


class LabelerClient(ServiceClient):
    """Starts labelling jobs, follows them, and streams what they made."""

    service = "labeler"

    async def create_job(self, request: JobRequest) -> Job:
        """`POST /jobs`.

        A request without an idempotency key is given one, so that a retry after a broken connection starts no
        second job.
        """
        if request.idempotency_key is None:
            request = request.model_copy(update={"idempotency_key": uuid.uuid4().hex})
        return await self._call(Job, "POST", "/jobs", request)

    async def job(self, job_id: str) -> Job:
        """`GET /jobs/{id}`."""
        return await self._call(Job, "GET", f"/jobs/{job_id}")

    async def jobs(
        self, *, status: JobStatus | None = None, limit: int | None = None, cursor: str | None = None
    ) -> JobsPage:
        """`GET /jobs`: one page, the newest first."""
        query = {"status": status, "limit": limit, "cursor": cursor}
        given = {name: value for name, value in query.items() if value is not None}
        return await self._call(JobsPage, "GET", "/jobs", query=given)

    async def cancel(self, job_id: str) -> Job:
        """`DELETE /jobs/{id}`."""
        return await self._call(Job, "DELETE", f"/jobs/{job_id}")

    async def events(self, job_id: str) -> AsyncIterator[Job]:
        """`GET /jobs/{id}/events`: the job on each change, until it is final."""
        async with self._lines(f"/jobs/{job_id}/events") as lines:
            async for line in lines:
                if line.startswith("data:"):
                    yield Job.model_validate_json(line.removeprefix("data:"))

    async def mutants(self, job_id: str) -> AsyncIterator[Mutant]:
        """`GET /jobs/{id}/mutants`, page after page."""
        query: dict[str, str] = {}
        while True:
            page = await self._call(MutantsPage, "GET", f"/jobs/{job_id}/mutants", query=query)
            for mutant in page.mutants:
                yield mutant
            if page.next_cursor is None:
                return
            query = {"cursor": page.next_cursor}

    async def labels(self, job_id: str, split: Split | None = None) -> AsyncIterator[LabelRecord]:
        """`GET /jobs/{id}/labels?format=jsonl`."""
        async with self._lines(f"/jobs/{job_id}/labels", _labels_query("jsonl", split)) as lines:
            async for line in lines:
                if line:
                    yield LabelRecord.model_validate_json(line)

    async def trl_labels(self, job_id: str, split: Split | None = None) -> AsyncIterator[TrlRecord]:
        """`GET /jobs/{id}/labels?format=trl`."""
        async with self._lines(f"/jobs/{job_id}/labels", _labels_query("trl", split)) as lines:
            async for line in lines:
                if line:
                    yield TrlRecord.model_validate_json(line)

    async def export(self, job_id: str, form: Format, split: Split | None = None) -> AsyncIterator[bytes]:
        """`GET /jobs/{id}/labels`: the file itself, piece by piece, as the labeler wrote it."""
        async with self._stream(f"/jobs/{job_id}/labels", _labels_query(form, split)) as response:
            async for piece in response.aiter_bytes():
                yield piece

    async def card(self, job_id: str) -> str:
        """`GET /jobs/{id}/card`: the job's data card in Markdown."""
        async with self._stream(f"/jobs/{job_id}/card") as response:
            return (await response.aread()).decode()


def _labels_query(form: str, split: Split | None) -> dict[str, str]:
    return {"format": form} | ({"split": split} if split else {})
