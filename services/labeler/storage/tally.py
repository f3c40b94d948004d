"""What a job made, in counts: two queries that count in the database, whatever the job's size."""

from dataclasses import dataclass

from sqlalchemy import case, func, select

from services.labeler.storage.database import Database
from services.labeler.storage.tables import ProblemRow, ProgramRow


@dataclass(frozen=True, slots=True)
class ProgramCount:
    """How many programs share these properties; `labelled` ones have labels for their steps."""

    split: str
    origin: str
    operator: str | None
    outcome: str | None
    verdict: str | None
    killed_by: str | None
    labelled: bool
    programs: int


@dataclass(frozen=True, slots=True)
class SplitCount:
    """The problems of one split, the labels of their steps, and the tests that were added to their own.

    A problem is `done`, `rejected` or still to do. `unaided` counts those done that got no new test: their survivors
    met the problem's own tests only.
    """

    split: str
    problems: int
    done: int
    rejected: int
    positive: int
    negative: int
    new_tests: int
    unaided: int


class TallyRepository:
    """Counts of one job, by what a reader may ask for."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def programs(self, job_id: str) -> list[ProgramCount]:
        """All programs, references among them, grouped by everything that is not their text."""
        labelled = ProgramRow.steps.is_not(None).label("labelled")
        groups = (
            ProblemRow.split,
            ProgramRow.origin,
            ProgramRow.operator,
            ProgramRow.outcome,
            ProgramRow.verdict,
            ProgramRow.killed_by,
            labelled,
        )
        same = (ProgramRow.job_id == ProblemRow.job_id) & (ProgramRow.position == ProblemRow.position)
        query = (
            select(*groups, func.count())
            .select_from(ProgramRow)
            .join(ProblemRow, same)
            .where(ProgramRow.job_id == job_id)
            .group_by(*groups)
        )
        with self._database.read() as session:
            found = [ProgramCount(*row[:6], labelled=bool(row[6]), programs=row[7]) for row in session.execute(query)]
        return sorted(found, key=lambda one: tuple(map(str, (one.origin, one.operator, one.outcome, one.verdict))))

    def splits(self, job_id: str) -> list[SplitCount]:
        """The splits that have problems."""
        done = ProblemRow.state == "done"
        tests = func.coalesce(func.json_array_length(ProblemRow.augmented), 0)
        query = (
            select(
                ProblemRow.split,
                func.count(),
                func.sum(case((done, 1), else_=0)),
                func.sum(case((ProblemRow.state == "rejected", 1), else_=0)),
                func.sum(ProblemRow.positive),
                func.sum(ProblemRow.negative),
                func.sum(tests),
                func.sum(case((done & (tests == 0), 1), else_=0)),
            )
            .where(ProblemRow.job_id == job_id)
            .group_by(ProblemRow.split)
        )
        with self._database.read() as session:
            found = [SplitCount(row[0], *map(int, row[1:])) for row in session.execute(query)]
        return sorted(found, key=lambda one: ("train", "validation", "test").index(one.split))
