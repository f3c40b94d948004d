"""Jobs as clients see them: created, looked at, cancelled."""

import secrets
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import case, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from services.contracts import (
    Job,
    JobRequest,
    JobsPage,
    JobStatus,
    LabelCounts,
    MutantCounts,
    Problem,
    ProblemCounts,
    Rejected,
    Teaching,
)
from services.labeler.splits import split_of
from services.labeler.storage.database import Database
from services.labeler.storage.tables import JobRow, ProblemRow, TeacherRequestRow
from services.labeler.versions import versions

LIVE = (JobStatus.QUEUED, JobStatus.RUNNING)


class KeyTakenError(Exception):
    """Another job has this idempotency key."""


class JobRepository:
    """All methods are whole transactions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, request: JobRequest, fingerprint: str) -> str:
        """Store a job and its problems; its id comes back.

        Raises:
            KeyTakenError: a job has the request's idempotency key.
        """
        job_id = f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"
        row = {
            "id": job_id,
            "name": request.name,
            "status": JobStatus.QUEUED,
            "recipe": request.model_dump(mode="json", exclude={"name", "problems", "idempotency_key"})
            | {"versions": versions()},
            "idempotency_key": request.idempotency_key,
            "fingerprint": fingerprint,
            "created_at": datetime.now(UTC),
        }
        try:
            with self._database.write() as session:
                session.execute(insert(JobRow), [row])
                session.execute(insert(ProblemRow), [_row(job_id, *item) for item in enumerate(request.problems)])
        except IntegrityError as error:
            raise KeyTakenError from error
        return job_id

    def delete(self, job_id: str) -> None:
        """Forget a job that could not be queued."""
        with self._database.write() as session:
            session.execute(delete(JobRow).where(JobRow.id == job_id))

    def with_key(self, key: str) -> tuple[str, str] | None:
        """Id and fingerprint of the job that has an idempotency key."""
        with self._database.read() as session:
            found = session.execute(select(JobRow.id, JobRow.fingerprint).where(JobRow.idempotency_key == key)).first()
        return (found.id, found.fingerprint) if found else None

    def get(self, job_id: str) -> Job | None:
        """The job as it is now."""
        with self._database.read() as session:
            row = session.get(JobRow, job_id)
            return _jobs(session, [row])[0] if row else None

    def recipe(self, job_id: str) -> dict[str, Any]:
        """What was asked for, without the problems, and the `versions` that took the job; empty for no job."""
        with self._database.read() as session:
            row = session.get(JobRow, job_id)
            return dict(row.recipe) if row else {}

    def page(self, status: JobStatus | None, limit: int, cursor: str | None) -> JobsPage:
        """The newest `limit` jobs that are older than the job `cursor`."""
        query = select(JobRow).order_by(JobRow.id.desc()).limit(limit + 1)
        if status is not None:
            query = query.where(JobRow.status == status)
        if cursor is not None:
            query = query.where(JobRow.id < cursor)
        with self._database.read() as session:
            rows = session.scalars(query).all()
            jobs = _jobs(session, rows[:limit])
        return JobsPage(jobs=jobs, next_cursor=jobs[-1].id if len(rows) > limit else None)

    def cancel(self, job_id: str) -> None:
        """Cancel a job; one that is over stays as it is."""
        with self._database.write() as session:
            session.execute(
                update(JobRow)
                .where(JobRow.id == job_id, JobRow.status.in_(LIVE))
                .values(status=JobStatus.CANCELLED, finished_at=datetime.now(UTC))
            )

    def unfinished(self) -> list[str]:
        """The ids of all jobs that are not over, the oldest first."""
        with self._database.read() as session:
            return list(session.scalars(select(JobRow.id).where(JobRow.status.in_(LIVE)).order_by(JobRow.id)))

    def ids(self) -> list[str]:
        """The ids of all jobs, the oldest first."""
        with self._database.read() as session:
            return list(session.scalars(select(JobRow.id).order_by(JobRow.id)))

    def pending_positions(self, job_id: str) -> list[int]:
        """The positions of the problems that are still to be labelled."""
        query = select(ProblemRow.position).where(ProblemRow.job_id == job_id, ProblemRow.state == "pending")
        with self._database.read() as session:
            return list(session.scalars(query.order_by(ProblemRow.position)))


def _row(job_id: str, position: int, problem: Problem) -> dict[str, object]:
    counts = ("attempts", "killed", "survived", "incompetent", "unverified", "positive", "negative")
    return {
        "job_id": job_id,
        "position": position,
        "problem_id": problem.id,
        "split": split_of(problem.id),
        "prompt": problem.prompt,
        "solution": problem.solution,
        "setup": problem.setup,
        "tests": [test.model_dump(mode="json", exclude_unset=True) | {"kind": test.kind} for test in problem.tests],
        "state": "pending",
    } | dict.fromkeys(counts, 0)


def _jobs(session: Session, rows: Sequence[JobRow]) -> list[Job]:
    """The jobs of `rows` with their counts, in the same order."""
    ids = [row.id for row in rows]
    rejected: dict[str, list[Rejected]] = {job_id: [] for job_id in ids}
    rejections = select(ProblemRow.job_id, ProblemRow.problem_id, ProblemRow.reason).where(
        ProblemRow.job_id.in_(ids), ProblemRow.state == "rejected"
    )
    for found in session.execute(rejections.order_by(ProblemRow.position)):
        rejected[found.job_id].append(Rejected(id=found.problem_id, reason=found.reason or ""))
    query = select(ProblemRow.job_id, *_COUNTS).where(ProblemRow.job_id.in_(ids)).group_by(ProblemRow.job_id)
    counts = {row[0]: [int(value) for value in row[1:]] for row in session.execute(query)}
    spent = _spent(session, ids)
    return [_job(row, counts[row.id], rejected[row.id], spent.get(row.id, {})) for row in rows]


def _spent(session: Session, ids: Sequence[str]) -> dict[str, dict[str, float]]:
    """Requests, tokens and cost of those of the jobs that asked a model."""
    sums = (
        func.count().label("requests"),
        func.sum(TeacherRequestRow.prompt_tokens).label("prompt_tokens"),
        func.sum(TeacherRequestRow.completion_tokens).label("completion_tokens"),
        func.sum(TeacherRequestRow.cost).label("cost"),
    )
    query = select(TeacherRequestRow.job_id, *sums).where(TeacherRequestRow.job_id.in_(ids))
    found = session.execute(query.group_by(TeacherRequestRow.job_id)).mappings()
    return {row["job_id"]: {name: value for name, value in row.items() if name != "job_id"} for row in found}


_COUNTS = (
    func.count(),
    func.sum(case((ProblemRow.state == "pending", 0), else_=1)),
    func.sum(ProblemRow.killed),
    func.sum(ProblemRow.survived),
    func.sum(ProblemRow.incompetent),
    func.sum(ProblemRow.unverified),
    func.sum(ProblemRow.positive),
    func.sum(ProblemRow.negative),
    func.sum(ProblemRow.questions),
    func.sum(ProblemRow.malformed),
    func.sum(ProblemRow.unanswered),
)


def _job(row: JobRow, counts: Sequence[int], rejected: list[Rejected], spent: Mapping[str, float]) -> Job:
    total, done, killed, survived, incompetent, unverified, positive, negative, *taught = counts
    questions, malformed, unanswered = taught
    asked = {"questions": questions, "malformed": malformed, "unanswered": unanswered}
    return Job(
        id=row.id,
        name=row.name,
        status=JobStatus(row.status),
        created_at=row.created_at,
        finished_at=row.finished_at,
        problems=ProblemCounts(total=total, done=done, rejected=len(rejected)),
        mutants=MutantCounts(
            total=killed + survived + incompetent + unverified,
            killed=killed,
            survived=survived,
            incompetent=incompetent,
            unverified=unverified,
        ),
        labels=LabelCounts(positive=positive, negative=negative, unknown=survived),
        teaching=Teaching.model_validate(asked | dict(spent)),
        rejected=rejected,
        error=row.error,
    )
