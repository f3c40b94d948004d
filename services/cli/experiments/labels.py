"""The label files of an experiment, each made once by a job of the labeler."""

import asyncio
import hashlib
from collections.abc import Mapping
from pathlib import Path

from services.cli.errors import FailedError
from services.cli.labeling import export, follow
from services.cli.own_labeler import labeler
from services.contracts import JobRequest, JobStatus, ModelTeacher


def label_files(folder: Path, requests: Mapping[str, JobRequest]) -> dict[str, Path]:
    """A file of labels for each request, by its name; a file that the same request made before is kept.

    Raises:
        FailedError: a job did not succeed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {name: label_file(folder, name, request) for name, request in requests.items()}
    missing = [name for name, file in files.items() if not file.exists()]
    if missing:
        with labeler({}) as url:
            for name in missing:
                _make(url, requests[name], files[name])
    return files


def label_file(folder: Path, name: str, request: JobRequest) -> Path:
    """Where the labels of a request lie: another request is another file, wherever its teacher's server may be."""
    if isinstance(request.teacher, ModelTeacher):
        request = request.model_copy(update={"teacher": request.teacher.model_copy(update={"base_url": ""})})
    digest = hashlib.sha256(request.model_dump_json().encode()).hexdigest()[:8]
    return folder / f"{name}-{digest}.jsonl"


def _make(url: str, request: JobRequest, file: Path) -> None:
    job = follow(url, request)
    if job.status is not JobStatus.SUCCEEDED:
        raise FailedError(f"the labelling job {job.id} is {job.status}: {job.error or 'no reason given'}.")
    asyncio.run(export(url, job.id, file))
