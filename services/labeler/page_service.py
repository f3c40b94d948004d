"""What the page asks of storage, in one place: jobs, one job's counts, and the programs that a person wants to see."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.contracts import Job, JobsPage
from services.labeler.cursors import key_of
from services.labeler.page_query import PageQuery
from services.labeler.service import JobService
from services.labeler.storage import BrowsingRepository, JobRepository, ProgramCount, SeenProgram, TallyRepository

JOBS_AT_ONCE = 20
PROGRAMS_AT_ONCE = 12


@dataclass(frozen=True, slots=True)
class SeenJob:
    """A job with its counts, and one page of the programs that are wanted, `matching` in all."""

    job: Job
    recipe: Mapping[str, Any]
    counts: list[ProgramCount]
    programs: list[SeenProgram]
    matching: int
    next_cursor: str


class PageService:
    """Blocking calls; the page runs them in threads."""

    def __init__(
        self, service: JobService, jobs: JobRepository, tallies: TallyRepository, browsing: BrowsingRepository
    ) -> None:
        self._service = service
        self._jobs = jobs
        self._tallies = tallies
        self._browsing = browsing

    def jobs(self, query: PageQuery) -> JobsPage:
        """The newest jobs, or those older than the one at the cursor."""
        return self._service.page(None, JOBS_AT_ONCE, query.cursor or None)

    def job(self, query: PageQuery) -> SeenJob:
        """The job of `query`.

        Raises:
            NotFoundError: there is none of that name.
            BadRequestError: the cursor is not one of ours.
        """
        job = self._service.get(query.job)
        found = self._browsing.page(job.id, query.wanted, PROGRAMS_AT_ONCE + 1, key_of(query.cursor or None))
        shown = found[:PROGRAMS_AT_ONCE]
        counts = self._tallies.programs(job.id)
        return SeenJob(
            job=job,
            recipe=self._jobs.recipe(job.id),
            counts=counts,
            programs=shown,
            matching=sum(one.programs for one in counts if query.wanted.takes(one)),
            next_cursor="{}-{}".format(*shown[-1].key) if len(found) > len(shown) else "",
        )
