"""A job's changed programs for people who judge them by eye: filtered, beside the reference, page by page."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, false, select, tuple_

from services.contracts import Origin, Outcome
from services.labeler.storage.database import Database
from services.labeler.storage.tables import ProblemRow, ProgramRow
from services.labeler.storage.tally import ProgramCount

LABELS = ("positive", "negative", "unknown", "none")
"""Of the changed step. Unknown: a mutation that survived. None: nothing was learnt from the program."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which programs to see; an empty string wants all. Unknown names want none."""

    origin: str = ""
    operator: str = ""
    outcome: str = ""
    verdict: str = ""
    label: str = ""

    def takes(self, one: ProgramCount) -> bool:
        """True where the programs that `one` counts are wanted; references never are."""
        named = ((self.origin, one.origin), (self.operator, one.operator), (self.verdict, one.verdict))
        return (
            one.origin != Origin.REFERENCE
            and all(not name or name == value for name, value in named)
            and self.outcome in ("", one.outcome)
            and self.label in ("", label_of(one.origin, one.outcome, labelled=one.labelled))
        )

    def conditions(self) -> list[ColumnElement[bool]]:
        """The same in SQL."""
        columns = (
            (self.origin, ProgramRow.origin),
            (self.operator, ProgramRow.operator),
            (self.outcome, ProgramRow.outcome),
            (self.verdict, ProgramRow.verdict),
        )
        named = [column == value for value, column in columns if value]
        return [ProgramRow.origin != Origin.REFERENCE, *named, *([_has_label(self.label)] if self.label else [])]


def label_of(origin: str, outcome: str | None, *, labelled: bool) -> str:
    """One of `LABELS`: what the outcome says of the changed step."""
    if labelled:
        return "negative" if outcome == Outcome.KILLED else "positive"
    return "unknown" if origin == Origin.MUTATION and outcome == Outcome.SURVIVED else "none"


def _has_label(label: str) -> ColumnElement[bool]:
    labelled, killed = ProgramRow.steps.is_not(None), ProgramRow.outcome == Outcome.KILLED
    unknown = and_(ProgramRow.origin == Origin.MUTATION, ProgramRow.outcome == Outcome.SURVIVED, ~labelled)
    conditions = {
        "positive": labelled & (ProgramRow.outcome.is_distinct_from(Outcome.KILLED)),
        "negative": labelled & killed,
        "unknown": unknown,
        "none": ~labelled
        & (ProgramRow.origin.is_distinct_from(Origin.MUTATION) | ProgramRow.outcome.is_distinct_from(Outcome.SURVIVED)),
    }
    return conditions.get(label, false())


@dataclass(frozen=True, slots=True)
class SeenProgram:
    """A changed program; `steps` are [start, end, label, ...], None where it has no labels."""

    key: tuple[int, int]
    problem_id: str
    prompt: str
    reference: str
    origin: str
    operator: str
    code: str
    outcome: str | None
    verdict: str | None
    killed_by: str | None
    steps: list[list[Any]] | None

    @property
    def label(self) -> str:
        """One of `LABELS`."""
        return label_of(self.origin, self.outcome, labelled=self.steps is not None)


class BrowsingRepository:
    """Pages in the order of the problems, and in each of the programs as they were made."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, job_id: str, wanted: Wanted, limit: int, after: tuple[int, int] | None) -> list[SeenProgram]:
        """At most `limit` programs behind the one whose key is `after`."""
        query = (
            select(ProgramRow)
            .where(ProgramRow.job_id == job_id, *wanted.conditions())
            .where(tuple_(ProgramRow.position, ProgramRow.number) > (after or (-1, -1)))
            .order_by(ProgramRow.position, ProgramRow.number)
            .limit(limit)
        )
        with self._database.read() as session:
            rows = session.scalars(query).all()
            positions = {row.position for row in rows}
            problems = select(ProblemRow.position, ProblemRow.problem_id, ProblemRow.prompt, ProblemRow.solution)
            of_page = (ProblemRow.job_id == job_id, ProblemRow.position.in_(positions))
            known = {row.position: row for row in session.execute(problems.where(*of_page))}
            references = select(ProgramRow.position, ProgramRow.code).where(
                ProgramRow.job_id == job_id,
                ProgramRow.position.in_(positions),
                ProgramRow.origin == Origin.REFERENCE,
                ProgramRow.number == 0,
            )
            codes = {row.position: row.code for row in session.execute(references)}
        return [
            SeenProgram(
                key=(row.position, row.number),
                problem_id=known[row.position].problem_id,
                prompt=known[row.position].prompt,
                reference=codes.get(row.position, known[row.position].solution),
                origin=row.origin,
                operator=row.operator or "",
                code=row.code,
                outcome=row.outcome,
                verdict=row.verdict,
                killed_by=row.killed_by,
                steps=row.steps,
            )
            for row in rows
        ]
