"""What a job made, read in pages so that a million labels stream in constant memory."""

from collections.abc import Iterator

from sqlalchemy import Select, select, tuple_

from services.contracts import LabelRecord, Mutant, MutantsPage, Origin
from services.labeler.splits import Split
from services.labeler.storage.database import Database
from services.labeler.storage.tables import JobRow, ProblemRow, ProgramRow

_Key = tuple[int, int]
_FIRST: _Key = (-1, -1)
_STEP = ("start", "end", "label", "soft_label")


class ResultRepository:
    """Reads programs in the order of their problems, then in the order in which they were made."""

    def __init__(self, database: Database, *, programs_at_once: int = 500) -> None:
        self._database = database
        self._programs_at_once = programs_at_once

    def mutants(self, job_id: str, limit: int, after: _Key | None) -> MutantsPage:
        """A page of changed programs; those without an outcome are left out."""
        query = _programs(job_id, after or _FIRST, limit + 1).where(
            ProgramRow.origin != Origin.REFERENCE, ProgramRow.outcome.is_not(None)
        )
        with self._database.read() as session:
            rows = [(row[0], row[1]) for row in session.execute(query)]
        mutants = [_mutant(program, problem_id) for program, problem_id in rows[:limit]]
        last = rows[limit - 1][0] if len(rows) > limit else None
        return MutantsPage(mutants=mutants, next_cursor=f"{last.position}-{last.number}" if last else None)

    def labels(self, job_id: str, split: Split | None) -> Iterator[LabelRecord]:
        """Every program that has labels, of one split or of all."""
        with self._database.read() as session:
            row = session.get(JobRow, job_id)
            teacher = str(row.recipe["teacher"]["kind"]) if row else ""
        after = _FIRST
        while page := self._label_page(job_id, split, after):
            for program, problem_id, prompt in page:
                yield _record(program, problem_id, prompt, teacher)
            after = (page[-1][0].position, page[-1][0].number)

    def _label_page(self, job_id: str, split: Split | None, after: _Key) -> list[tuple[ProgramRow, str, str]]:
        """Programs with the id and the prompt of their problem, each prompt held once however many share it."""
        query = _programs(job_id, after, self._programs_at_once).where(ProgramRow.steps.is_not(None))
        if split is not None:
            query = query.where(ProblemRow.split == split)
        with self._database.read() as session:
            rows = [(row[0], row[1]) for row in session.execute(query)]
            positions = {program.position for program, _ in rows}
            texts = select(ProblemRow.position, ProblemRow.prompt).where(
                ProblemRow.job_id == job_id, ProblemRow.position.in_(positions)
            )
            prompts = {row.position: row.prompt for row in session.execute(texts)}
        return [(program, problem_id, prompts[program.position]) for program, problem_id in rows]


def _programs(job_id: str, after: _Key, limit: int) -> Select[ProgramRow, str]:
    same = (ProgramRow.job_id == ProblemRow.job_id) & (ProgramRow.position == ProblemRow.position)
    key = tuple_(ProgramRow.position, ProgramRow.number)
    return (
        select(ProgramRow, ProblemRow.problem_id)
        .join(ProblemRow, same)
        .where(ProgramRow.job_id == job_id, key > after)
        .order_by(ProgramRow.position, ProgramRow.number)
        .limit(limit)
    )


def _mutant(row: ProgramRow, problem_id: str) -> Mutant:
    return Mutant.model_validate(
        {
            "problem_id": problem_id,
            "origin": row.origin,
            "operator": row.operator,
            "step": row.changed_step,
            "code": row.code,
            "outcome": row.outcome,
            "verdict": row.verdict,
            "killed_by": row.killed_by,
        }
    )


def _record(row: ProgramRow, problem_id: str, prompt: str, teacher: str) -> LabelRecord:
    return LabelRecord.model_validate(
        {
            "problem_id": problem_id,
            "prompt": prompt,
            "code": row.code,
            "origin": row.origin,
            "operator": row.operator,
            "teacher": row.teacher or teacher,
            "changed_step": row.changed_step,
            "steps": [dict(zip(_STEP, step, strict=False)) for step in row.steps or ()],
            "verdict": row.verdict,
            "killed_by": row.killed_by,
        }
    )
