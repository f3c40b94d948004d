"""`POST /execute` and `POST /execute/batch`."""

from collections.abc import Callable

from fastapi import APIRouter, Request, Response

from services.contracts import ExecuteBatchReply, ExecuteBatchRequest, ExecuteReply, ExecuteRequest
from services.executor.connection import DeadlineS, caller_of, while_connected
from services.executor.service import Executor

REFUSED_EARLY = ("/execute", "/execute/batch")
"""Where a full queue is told before a request is read; `/run_code` answers otherwise (ADR 0016)."""


def execution_router(executor: Callable[[], Executor]) -> APIRouter:
    """The routes; `executor` gives the one that the app has started."""
    router = APIRouter(tags=["executor"])

    @router.post("/execute", response_model=ExecuteReply)
    async def execute(program: ExecuteRequest, request: Request, deadline_s: DeadlineS = None) -> Response:
        """Run one program against its tests.

        200 with a verdict whatever the program does; 400 if a limit is above the server's maximum; 429 with
        `Retry-After` if the queue is full; 503 if no sandbox starts or the server is draining; 504 `deadline_passed`
        if it is not done in the seconds that `X-Deadline-S` gives; 500 `internal_error` if the sandbox failed, and then
        there is no verdict.
        """
        serving = executor()
        caller = caller_of(request, deadline_s, by_key=serving.by_key)
        async with while_connected(request):
            return _json(await serving.execute(program, caller))

    @router.post("/execute/batch", response_model=ExecuteBatchReply)
    async def execute_batch(batch: ExecuteBatchRequest, request: Request, deadline_s: DeadlineS = None) -> Response:
        """Run many programs; the results come in their order, and one bad program spoils no other.

        As `/execute`, but a program whose sandbox failed has the verdict `internal_error`, 413 answers a batch that
        the queue could never hold, and the deadline is that of the whole batch.
        """
        serving = executor()
        caller = caller_of(request, deadline_s, by_key=serving.by_key)
        async with while_connected(request):
            replies = await serving.execute_batch(batch.programs, caller)
        return _json(b'{"results":[' + b",".join(replies) + b"]}")

    return router


def _json(body: bytes) -> Response:
    return Response(body, media_type="application/json")
