"""Works on a batch of a job's problems: what a task of the queue does, without the queue.

It may be killed anywhere and run again: a finished problem is kept in one transaction and never done twice. A problem
that fails in a way nobody foresaw is rejected by name, and a job that can't be read fails, so that neither can hold up
the queue. A database that is away is waited for without end, for nothing can be done without it. docs/adr/0037.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress

from services.labeler.errors import (
    DatabaseAwayError,
    ExecutorLostError,
    JobCancelledError,
    TeacherLostError,
    UnusableProblemError,
)
from services.labeler.labeling import label_problem
from services.labeler.recipe import Recipe
from services.labeler.settings import LabelerSettings
from services.labeler.storage import PendingProblem, QuestionRepository, WorkRepository
from services.labeler.teachers import School, Teacher, hired
from services.labeler.verification import Executor, Verifier

logger = logging.getLogger(__name__)

_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.1, 4.0


async def label_batch(
    work: WorkRepository,
    questions: QuestionRepository,
    executor: Executor,
    settings: LabelerSettings,
    job_id: str,
    positions: Sequence[int],
) -> None:
    """Label those of the problems at `positions` that are still pending, and end the job if they were the last.

    After an outage of the database it begins again with those that are pending then.
    """
    batch = _Batch(work, School(settings, questions, job_id), executor)
    wait_s = _FIRST_WAIT_S
    while True:
        try:
            return await batch.label(positions)
        except DatabaseAwayError as error:
            logger.warning("the database is away", extra={"wait_s": wait_s, "error": error.message})
        except Exception as error:
            logger.exception("a job could not be worked on", extra={"job_id": job_id})
            return work.fail_job(job_id, f"the labeler failed at it: {type(error).__name__}")
        await asyncio.sleep(wait_s)
        wait_s = min(2 * wait_s, _LONGEST_WAIT_S)


class _Batch:
    """Some of one job's problems; those that a worker died of before are worked on one at a time."""

    def __init__(self, work: WorkRepository, school: School, executor: Executor) -> None:
        self._work = work
        self._school = school
        self._settings = school.settings
        self._job_id = school.job_id
        self._begun: set[int] = set()
        self._verifier = Verifier(executor, patience_s=school.settings.executor_patience_s)

    async def label(self, positions: Sequence[int]) -> None:
        """Settle the pending ones of the problems at `positions`; may be called again if it did not come to its end."""
        recipe = self._work.start(self._job_id)
        if recipe is None:
            return
        pending = self._work.pending(self._job_id, positions)
        try:
            async with hired(recipe.teacher, self._school) as teacher:
                await self._settle_all(pending, recipe, teacher)
        except JobCancelledError:
            logger.info("job is over, batch dropped", extra={"job_id": self._job_id})
        except (ExecutorLostError, TeacherLostError) as lost:
            self._work.fail_job(self._job_id, str(lost))
        else:
            self._work.finish_job(self._job_id)

    async def _settle_all(self, pending: Sequence[PendingProblem], recipe: Recipe, teacher: Teacher) -> None:
        """Settle each problem; the first error that concerns more than one of them ends the work on all."""
        suspects = any(self._attempts_of_others(item) for item in pending)
        gate = asyncio.Semaphore(1 if suspects else self._settings.problems_at_once)

        async def settle(item: PendingProblem) -> None:
            async with gate:
                await self._settle(item, recipe, teacher)

        try:
            async with asyncio.TaskGroup() as group:
                watching = group.create_task(self._watch())
                if settling := [group.create_task(settle(item)) for item in pending]:
                    await asyncio.wait(settling)
                watching.cancel()
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from errors

    async def _watch(self) -> None:
        """Raise `JobCancelledError` soon after the job is over, whatever its problems wait for just then."""
        live = True
        while live:
            await asyncio.sleep(self._settings.cancel_poll_s)
            with suppress(DatabaseAwayError):
                live = await asyncio.to_thread(self._work.is_live, self._job_id)
        raise JobCancelledError

    async def _settle(self, item: PendingProblem, recipe: Recipe, teacher: Teacher) -> None:
        """Finish one problem or reject it."""
        if (attempts := self._attempts_of_others(item)) >= self._settings.attempts:
            self._reject(item, f"{attempts} workers died or ran out of time at it")
            return
        if item.position not in self._begun:
            self._work.begin(self._job_id, item.position)
            self._begun.add(item.position)
        try:
            labelled = await label_problem(item.problem, recipe, self._verifier, teacher)
        except UnusableProblemError as error:
            self._reject(item, str(error))
        except (JobCancelledError, ExecutorLostError, TeacherLostError, DatabaseAwayError):
            raise
        except Exception as error:
            logger.exception("a problem could not be labelled", extra={"problem_id": item.problem.id})
            self._reject(item, f"the labeler failed at it: {type(error).__name__}")
        else:
            self._work.finish(self._job_id, item.position, labelled)

    def _attempts_of_others(self, item: PendingProblem) -> int:
        return item.attempts - (item.position in self._begun)

    def _reject(self, item: PendingProblem, reason: str) -> None:
        self._work.reject(self._job_id, item.position, reason)
