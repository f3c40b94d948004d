"""The tables: jobs, their problems, and the programs that were made of each problem.

What a finished problem adds to its job's counts stands in the problem's own row, so that a count can't be doubled by a
task that runs twice. `migrations/` creates these tables; a test holds the two together.
"""

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, DateTime, Dialect, ForeignKey, ForeignKeyConstraint, Index, Text, TypeDecorator
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC; SQLite keeps it without its zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or value.tzinfo is not None:
            return value
        return value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    """Strings are unbounded, moments are in UTC."""

    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text(),
        datetime: UtcDateTime(),
        list[Any]: JSON(none_as_null=True),
        dict[str, Any]: JSON(),
    }


class JobRow(Base):
    """`id` sorts by age; `recipe` is the request without its problems; `fingerprint` tells two requests apart."""

    __tablename__ = "jobs"
    __table_args__ = (Index("jobs_by_status", "status", "id"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    status: Mapped[str]
    recipe: Mapped[dict[str, Any]]
    idempotency_key: Mapped[str | None] = mapped_column(unique=True)
    fingerprint: Mapped[str]
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    error: Mapped[str | None]


class ProblemRow(Base):
    """`state` is pending, done or rejected; `attempts` counts how often a worker began with it."""

    __tablename__ = "problems"
    __table_args__ = (Index("problems_by_id", "job_id", "problem_id", unique=True),)

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    problem_id: Mapped[str]
    split: Mapped[str]
    prompt: Mapped[str]
    solution: Mapped[str]
    setup: Mapped[str]
    tests: Mapped[list[Any]]
    augmented: Mapped[list[Any] | None]
    state: Mapped[str]
    reason: Mapped[str | None]
    attempts: Mapped[int]
    killed: Mapped[int]
    survived: Mapped[int]
    incompetent: Mapped[int]
    unverified: Mapped[int]
    positive: Mapped[int]
    negative: Mapped[int]
    questions: Mapped[int] = mapped_column(server_default="0")
    malformed: Mapped[int] = mapped_column(server_default="0")
    unanswered: Mapped[int] = mapped_column(server_default="0")


class ProgramRow(Base):
    """A labelled program; `steps` is a list of [start, end, label] or [start, end, label, soft label].

    `steps` is null where there are no labels, `teacher` in what an older version stored.
    """

    __tablename__ = "programs"
    __table_args__ = (
        ForeignKeyConstraint(["job_id", "position"], ["problems.job_id", "problems.position"], ondelete="CASCADE"),
    )

    job_id: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    origin: Mapped[str]
    operator: Mapped[str | None]
    changed_step: Mapped[int | None]
    code: Mapped[str]
    outcome: Mapped[str | None]
    verdict: Mapped[str | None]
    killed_by: Mapped[str | None]
    steps: Mapped[list[Any] | None]
    teacher: Mapped[str | None]


class TeacherRequestRow(Base):
    """A request to a model that a job pays for; `key` names the question, `text` is null until it is answered.

    Any later question with the same key is answered from here, whichever job it belongs to.
    """

    __tablename__ = "teacher_requests"
    __table_args__ = (
        Index("teacher_requests_by_key", "key"),
        Index("teacher_requests_by_job", "job_id"),
        Index("teacher_requests_by_time", "teacher", "begun_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    job_id: Mapped[str]
    teacher: Mapped[str]
    key: Mapped[str]
    begun_at: Mapped[datetime]
    text: Mapped[str | None]
    complete: Mapped[bool | None]
    prompt_tokens: Mapped[int]
    completion_tokens: Mapped[int]
    cost: Mapped[float]
