"""Jobs as workers see them: problems to label, and the results of each, kept once however often it is worked on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import exists, insert, select, update
from sqlalchemy.orm import Session

from services.contracts import JobStatus, Origin, Outcome, Problem, Segment, StepLabel, Teacher
from services.labeler.recipe import LabelledProblem, LabelledProgram, Recipe
from services.labeler.storage.database import Database
from services.labeler.storage.jobs import LIVE
from services.labeler.storage.tables import JobRow, ProblemRow, ProgramRow

_TEACHER: TypeAdapter[Teacher] = TypeAdapter(Teacher)


@dataclass(frozen=True, slots=True)
class PendingProblem:
    """A problem to label; `attempts` counts the workers that began with it before."""

    position: int
    problem: Problem
    attempts: int


class WorkRepository:
    """All methods are whole transactions, and may be called again with the same arguments."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def start(self, job_id: str) -> Recipe | None:
        """Mark a queued job as running; None if it is over or was never stored."""
        with self._database.write() as session:
            running = update(JobRow).where(JobRow.id == job_id, JobRow.status == JobStatus.QUEUED)
            session.execute(running.values(status=JobStatus.RUNNING))
            row = session.get(JobRow, job_id)
            return _recipe(row.recipe) if row and row.status == JobStatus.RUNNING else None

    def is_live(self, job_id: str) -> bool:
        """False once the job is over, be it cancelled, failed or done."""
        with self._database.read() as session:
            return bool(session.scalar(select(_live(job_id))))

    def pending(self, job_id: str, positions: Sequence[int]) -> list[PendingProblem]:
        """Those of the problems at `positions` that nobody has finished yet."""
        query = select(ProblemRow).where(
            ProblemRow.job_id == job_id, ProblemRow.position.in_(positions), ProblemRow.state == "pending"
        )
        with self._database.read() as session:
            rows = session.scalars(query.order_by(ProblemRow.position)).all()
        return [PendingProblem(row.position, _problem(row), row.attempts) for row in rows]

    def begin(self, job_id: str, position: int) -> None:
        """Count an attempt, before anything is done that may kill the worker."""
        with self._database.write() as session:
            session.execute(_row(job_id, position).values(attempts=ProblemRow.attempts + 1))

    def finish(self, job_id: str, position: int, labelled: LabelledProblem) -> None:
        """Keep what was made of a problem, unless another worker was faster or the job is over."""
        with self._database.write() as session:
            augmented = [test.code for test in labelled.augmented]
            if _settle(session, job_id, position, state="done", augmented=augmented, **_counts(labelled)):
                rows = [_program_row(job_id, position, *item) for item in enumerate(labelled.programs)]
                session.execute(insert(ProgramRow), rows)

    def reject(self, job_id: str, position: int, reason: str) -> None:
        """Give a problem up, for `reason`."""
        with self._database.write() as session:
            _settle(session, job_id, position, state="rejected", reason=_storable(reason))

    def finish_job(self, job_id: str) -> None:
        """End a job none of whose problems is pending; call it in a transaction of its own, behind the last problem's.

        Two workers that finish the last two problems at once both come here afterwards, so one of them sees the end.
        """
        pending = exists().where(ProblemRow.job_id == job_id, ProblemRow.state == "pending")
        self._end(job_id, JobStatus.SUCCEEDED, ~pending)

    def fail_job(self, job_id: str, error: str) -> None:
        """End a job that can't go on."""
        self._end(job_id, JobStatus.FAILED, error=_storable(error))

    def _end(self, job_id: str, status: JobStatus, *conditions: Any, error: str | None = None) -> None:
        with self._database.write() as session:
            session.execute(
                update(JobRow)
                .where(JobRow.id == job_id, JobRow.status.in_(LIVE), *conditions)
                .values(status=status, finished_at=datetime.now(UTC), error=error)
            )


def _live(job_id: str) -> Any:
    return exists().where(JobRow.id == job_id, JobRow.status.in_(LIVE))


def _row(job_id: str, position: int) -> Any:
    """An update of one problem; no session holds it as an object that would have to follow."""
    row = update(ProblemRow).where(ProblemRow.job_id == job_id, ProblemRow.position == position)
    return row.execution_options(synchronize_session=False)


def _settle(session: Session, job_id: str, position: int, **values: Any) -> bool:
    """Move a problem out of `pending`; False if it was not there any more. The row's lock lets one worker through."""
    still_wanted = _row(job_id, position).where(ProblemRow.state == "pending", _live(job_id))
    settled = session.scalar(still_wanted.values(**values).returning(ProblemRow.position))
    return settled is not None


def _recipe(stored: dict[str, Any]) -> Recipe:
    return Recipe(
        segment=Segment(stored["segment"]),
        mutants_per_step=stored["mutants_per_step"],
        refactorings_per_step=stored["refactorings_per_step"],
        augmented_tests=stored["augmented_tests"],
        seed=stored["seed"],
        teacher=_TEACHER.validate_python(stored["teacher"]),
    )


def _problem(row: ProblemRow) -> Problem:
    return Problem.model_validate(
        {"id": row.problem_id, "prompt": row.prompt, "solution": row.solution, "setup": row.setup, "tests": row.tests}
    )


def _counts(labelled: LabelledProblem) -> dict[str, int]:
    programs = labelled.programs
    mutants = [program.outcome for program in programs if program.origin is Origin.MUTATION]
    labels = [step.label for program in programs for step in program.steps or ()]
    return {
        "killed": mutants.count(Outcome.KILLED),
        "survived": mutants.count(Outcome.SURVIVED),
        "incompetent": mutants.count(Outcome.INCOMPETENT),
        "unverified": mutants.count(None),
        "positive": labels.count(1),
        "negative": labels.count(0),
        "questions": labelled.asked.questions,
        "malformed": labelled.asked.malformed,
        "unanswered": labelled.asked.unanswered,
    }


def _program_row(job_id: str, position: int, number: int, program: LabelledProgram) -> dict[str, object]:
    steps = program.steps
    return {
        "job_id": job_id,
        "position": position,
        "number": number,
        "origin": program.origin,
        "operator": program.operator,
        "changed_step": program.changed_step,
        "code": program.code,
        "outcome": program.outcome,
        "verdict": program.verdict,
        "killed_by": program.killed_by,
        "steps": None if steps is None else list(map(_step_row, steps)),
        "teacher": program.teacher,
    }


def _step_row(step: StepLabel) -> list[float | None]:
    soft = [] if step.soft_label is None else [step.soft_label]
    return [step.start, step.end, step.label, *soft]


def _storable(text: str) -> str:
    """PostgreSQL's text takes no NUL."""
    return text.replace("\x00", "\\x00")
