"""`POST /execute` and `POST /execute/batch`."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from fastapi import APIRouter, Request

from services.contracts import ExecuteBatchReply, ExecuteBatchRequest, ExecuteReply, ExecuteRequest
from services.executor.service import Executor
from services.kit.errors import ServiceError

Result = TypeVar("Result")

_CLIENT_LEFT = 499
"""The status by which logs and metrics know that nobody read the reply."""


def execution_router(executor: Callable[[], Executor]) -> APIRouter:
    """The routes; `executor` gives the one that the app has started."""
    router = APIRouter(tags=["executor"])

    @router.post("/execute")
    async def execute(program: ExecuteRequest, request: Request) -> ExecuteReply:
        """Run one program against its tests.

        200 with a verdict whatever the program does; 400 if a limit is above the server's maximum; 429 with
        `Retry-After` if the queue is full; 500 `internal_error` if the sandbox failed, and then there is no verdict.
        """
        return await _while_connected(request, executor().execute(program))

    @router.post("/execute/batch")
    async def execute_batch(batch: ExecuteBatchRequest, request: Request) -> ExecuteBatchReply:
        """Run many programs; the results come in their order, and one bad program spoils no other.

        As `/execute`, but a program whose sandbox failed has the verdict `internal_error`, and 413 answers a batch
        that the queue could never hold.
        """
        return ExecuteBatchReply(results=await _while_connected(request, executor().execute_batch(batch.programs)))

    return router


async def _while_connected(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """Do `work`, but give it up once the client has gone."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ServiceError(_CLIENT_LEFT, "client_left", "the client did not wait for the reply")
        return await working
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.wait({working, leaving})


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
