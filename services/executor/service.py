"""The executor's work, free of HTTP: resolve limits, run in the pool, tell our failures from the program's."""

from collections.abc import Sequence

from services.contracts import ExecuteReply, ExecuteRequest, Verdict
from services.executor.examination import examine
from services.executor.metrics import ExecutorMetrics
from services.executor.pool import IsAbandoned, Pool, Work
from services.executor.requests import resolve
from services.executor.sandbox import Bounds, Sandbox, SandboxError
from services.executor.settings import ExecutorSettings
from services.kit.errors import ServiceError


class Executor:
    """Judges programs, one or many, in the sandboxes of a pool."""

    def __init__(self, settings: ExecutorSettings, pool: Pool, metrics: ExecutorMetrics) -> None:
        self._settings = settings
        self._pool = pool
        self._metrics = metrics

    @property
    def isolation(self) -> str:
        """The layers in force."""
        return self._pool.isolation

    async def execute(self, request: ExecuteRequest) -> ExecuteReply:
        """One program.

        Raises:
            BadRequestError: it asks for more than this server allows.
            OverloadedError, UnavailableError: not now.
            ServiceError: (500, `internal_error`) the sandbox failed twice; the program has no verdict.
        """
        [outcome] = await self._pool.run([_work(request, resolve(request, self._settings))])
        if isinstance(outcome, SandboxError):
            raise ServiceError(500, "internal_error", "the sandbox failed; the program has no verdict") from outcome
        self._metrics.count(outcome)
        return outcome

    async def execute_batch(self, requests: Sequence[ExecuteRequest]) -> list[ExecuteReply]:
        """Many programs, replies in their order; where the sandbox failed the verdict is `internal_error`.

        Raises:
            BadRequestError: one of them asks for more than this server allows; none is run.
            TooLargeError, OverloadedError, UnavailableError: too many, or not now.
        """
        limits = [resolve(request, self._settings, f"programs[{at}].") for at, request in enumerate(requests)]
        works = [_work(request, bounds) for request, bounds in zip(requests, limits, strict=True)]
        outcomes = await self._pool.run(works)
        replies = [self._reply(request, outcome) for request, outcome in zip(requests, outcomes, strict=True)]
        for reply in replies:
            self._metrics.count(reply)
        return replies

    def _reply(self, request: ExecuteRequest, outcome: ExecuteReply | SandboxError) -> ExecuteReply:
        if isinstance(outcome, ExecuteReply):
            return outcome
        return ExecuteReply(
            verdict=Verdict.INTERNAL_ERROR,
            passed=0,
            total=len(request.tests),
            wall_s=0.0,
            isolation=self.isolation,
            tests=[],
        )


def _work(request: ExecuteRequest, bounds: Bounds) -> Work:
    def work(sandbox: Sandbox, is_abandoned: IsAbandoned) -> ExecuteReply:
        return examine(request, bounds, sandbox, is_abandoned)

    return work
