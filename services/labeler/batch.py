"""Works on a batch of a job's problems: what a task of the queue does, without the queue.

It may be killed anywhere and run again: a finished problem is kept in one transaction and never done twice. A problem
that fails in a way nobody foresaw is rejected by name, so that it can hold up neither its job nor the queue.
"""

import asyncio
import logging
from collections.abc import Sequence

from services.labeler.errors import ExecutorLostError, JobCancelledError, UnusableProblemError
from services.labeler.labeling import label_problem
from services.labeler.recipe import Recipe
from services.labeler.settings import LabelerSettings
from services.labeler.storage import PendingProblem, WorkRepository
from services.labeler.teachers import Rules
from services.labeler.verification import Executor, Verifier

logger = logging.getLogger(__name__)


async def label_batch(
    work: WorkRepository, executor: Executor, settings: LabelerSettings, job_id: str, positions: Sequence[int]
) -> None:
    """Label those of the problems at `positions` that are still pending, and end the job if they were the last."""
    recipe = work.start(job_id)
    if recipe is None:
        return
    pending = work.pending(job_id, positions)
    batch = _Batch(work, executor, settings, job_id, recipe)
    try:
        async with asyncio.TaskGroup() as group:
            gate = asyncio.Semaphore(1 if any(item.attempts for item in pending) else settings.problems_at_once)
            for item in pending:
                group.create_task(batch.settle_behind(gate, item))
    except* JobCancelledError:
        logger.info("job is over, batch dropped", extra={"job_id": job_id})
    except* ExecutorLostError as lost:
        work.fail_job(job_id, str(lost.exceptions[0]))
    else:
        work.finish_job(job_id)


class _Batch:
    """One job's problems; a batch that a worker died of before is worked on one problem at a time."""

    def __init__(
        self, work: WorkRepository, executor: Executor, settings: LabelerSettings, job_id: str, recipe: Recipe
    ) -> None:
        self._work = work
        self._settings = settings
        self._job_id = job_id
        self._recipe = recipe
        self._verifier = Verifier(
            executor,
            patience_s=settings.executor_patience_s,
            is_cancelled=lambda: not work.is_live(job_id),
        )

    async def settle_behind(self, gate: asyncio.Semaphore, item: PendingProblem) -> None:
        async with gate:
            await self._settle(item)

    async def _settle(self, item: PendingProblem) -> None:
        """Finish one problem or reject it."""
        if item.attempts >= self._settings.attempts:
            self._reject(item, f"{item.attempts} workers died or ran out of time at it")
            return
        self._work.begin(self._job_id, item.position)
        try:
            labelled = await label_problem(item.problem, self._recipe, self._verifier, Rules())
        except UnusableProblemError as error:
            self._reject(item, str(error))
        except (JobCancelledError, ExecutorLostError):
            raise
        except Exception as error:
            logger.exception("a problem could not be labelled", extra={"problem_id": item.problem.id})
            self._reject(item, f"the labeler failed at it: {type(error).__name__}")
        else:
            self._work.finish(self._job_id, item.position, labelled)

    def _reject(self, item: PendingProblem, reason: str) -> None:
        self._work.reject(self._job_id, item.position, reason)
