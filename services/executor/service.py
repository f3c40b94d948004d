"""The executor's work, free of HTTP: resolve limits, run in the pool, tell our failures from the program's."""

import time
from collections.abc import Sequence

from services.contracts import ExecuteReply, ExecuteRequest, RunCodeRequest, Verdict
from services.executor.caller import Caller
from services.executor.done import Done
from services.executor.metrics import ExecutorMetrics
from services.executor.order import IsAbandoned, Work
from services.executor.pool import Pool
from services.executor.requests import resolve
from services.executor.run_code import plan_run
from services.executor.sandbox import Bounds, SandboxError
from services.executor.settings import ExecutorSettings
from services.executor.tasks import Examination, Task
from services.executor.worker import Worker
from services.kit.errors import DeadlineError, OverloadedError, ServiceError, UnavailableError

_ANYBODY = Caller()


class Executor:
    """Judges programs, one or many, in the sandboxes of a pool."""

    def __init__(self, settings: ExecutorSettings, pool: Pool, metrics: ExecutorMetrics) -> None:
        self._settings = settings
        self._pool = pool
        self._metrics = metrics
        self.by_key = settings.wants_keys
        """Whether clients are told apart by their keys, and not by their addresses."""

    @property
    def isolation(self) -> str:
        """The layers in force."""
        return self._pool.isolation

    @property
    def able(self) -> bool:
        """False while no sandbox can be started."""
        return self._pool.able

    def refusal(self) -> ServiceError | None:
        """Why not even one program would be taken in now."""
        return self._pool.refusal()

    async def execute(self, request: ExecuteRequest, caller: Caller = _ANYBODY) -> bytes:
        """One program; its `ExecuteReply`, as JSON.

        Raises:
            BadRequestError: it asks for more than this server allows.
            OverloadedError, UnavailableError: not now.
            DeadlineError: it was not done by the caller's deadline.
            ServiceError: (500, `internal_error`) the sandbox failed twice; the program has no verdict.
        """
        work = self._work(request, resolve(request, self._settings), caller)
        [outcome] = await self._pool.run([work], client=caller.client, deadline=caller.deadline)
        if isinstance(outcome, SandboxError):
            raise _no_verdict() from outcome
        done: Done = outcome
        self._metrics.count(done)
        return done.body

    async def execute_batch(self, requests: Sequence[ExecuteRequest], caller: Caller = _ANYBODY) -> list[bytes]:
        """Many programs, replies as JSON in their order; where the sandbox failed the verdict is `internal_error`.

        Raises:
            BadRequestError: one of them asks for more than this server allows; none is run.
            TooLargeError, OverloadedError, UnavailableError: too many, or not now.
            DeadlineError: not all were done by the caller's deadline.
        """
        limits = [resolve(request, self._settings, at) for at, request in enumerate(requests)]
        works = [self._work(request, bounds, caller) for request, bounds in zip(requests, limits, strict=True)]
        outcomes = await self._pool.run(works, client=caller.client, deadline=caller.deadline)
        ends = [self._end(request, outcome) for request, outcome in zip(requests, outcomes, strict=True)]
        for done in ends:
            self._metrics.count(done)
        return [done.body for done in ends]

    async def run_code(self, request: RunCodeRequest, caller: Caller = _ANYBODY) -> bytes:
        """One program run whole, for SandboxFusion's clients; its `RunCodeReply`, as JSON.

        Raises:
            BadRequestError, TooLargeError: it asks for what this server does not do.
            DeadlineError: not now, or not in time: it did not begin while its client would wait (nor within the setting
                `run_code_queue_wait_s`), the queue is full, or the server is draining. These clients try again after
                a 504 and after nothing else.
            ServiceError: (500, `internal_error`) the sandbox failed twice; nothing can be said of the program.
        """
        plan = plan_run(request, self._settings)

        def work(worker: Worker, is_abandoned: IsAbandoned) -> Done:
            return self._do(plan.within(caller.clip(plan.session.bounds)), worker, is_abandoned)

        start_by = time.monotonic() + plan.start_within_s
        try:
            [outcome] = await self._pool.run([work], client=caller.client, deadline=caller.deadline, start_by=start_by)
        except (OverloadedError, UnavailableError) as error:
            raise DeadlineError(error.code, error.message) from error
        if isinstance(outcome, SandboxError):
            raise _no_verdict() from outcome
        done: Done = outcome
        self._metrics.count_run(done.outcome, request.language)
        return done.body

    def _work(self, request: ExecuteRequest, bounds: Bounds, caller: Caller) -> Work:
        def work(worker: Worker, is_abandoned: IsAbandoned) -> Done:
            return self._do(Examination(request, caller.clip(bounds)), worker, is_abandoned)

        return work

    def _do(self, task: Task, worker: Worker, is_abandoned: IsAbandoned) -> Done:
        done = worker.do(task, is_abandoned)
        self._metrics.children.inc(done.children)
        return done

    def _end(self, request: ExecuteRequest, outcome: Done | SandboxError) -> Done:
        if isinstance(outcome, Done):
            return outcome
        reply = ExecuteReply(
            verdict=Verdict.INTERNAL_ERROR,
            passed=0,
            total=len(request.tests),
            wall_s=0.0,
            isolation=self.isolation,
            tests=[],
        )
        return Done.examined(reply, children=0)


def _no_verdict() -> ServiceError:
    return ServiceError(500, "internal_error", "the sandbox failed; the program has no verdict")
