"""`POST /run_code`, SandboxFusion's route."""

from collections.abc import Callable

from fastapi import APIRouter, Request, Response

from services.contracts import RunCodeReply, RunCodeRequest
from services.executor.connection import DeadlineS, caller_of, while_connected
from services.executor.service import Executor
from services.kit.errors import DeadlineError, UnavailableError


def run_code_router(executor: Callable[[], Executor]) -> APIRouter:
    """The route; `executor` gives the one that the app has started."""
    router = APIRouter(tags=["executor"])

    @router.post("/run_code", response_model=RunCodeReply)
    async def run_code(program: RunCodeRequest, request: Request, deadline_s: DeadlineS = None) -> Response:
        """Run one program whole, as SandboxFusion does: for verl, and for whoever has a client of it.

        200 whatever the program does: `Success` where it ended with exit code 0, else `Failed`, with a `run_result`
        that is `Finished`, `TimeLimitExceeded`, or `Error` where it was killed for printing too much. Output above the
        server's limit is cut, and never turns into a time-out.

        verl tries again after 504 alone, and takes every other error, and no reply within `compile_timeout` +
        `run_timeout` + 10 s, for a failed program. So a full queue, a server that is draining, and a wait longer
        than `compile_timeout` + 8 s or the server's `run_code_queue_wait_s` are all 504 here, never 429 or 503.
        500 `internal_error`: the sandbox failed twice over this program (not 504, since it would again; not
        `SandboxError`, which reads as a result). 400: another language than `python` and `pytest`, a limit above the
        server's maximum, a path that is not relative and inside the program's folder, contents that are not base64.
        """
        try:
            serving = executor()
        except UnavailableError as error:
            raise DeadlineError(error.code, error.message) from error
        caller = caller_of(request, deadline_s, by_key=serving.by_key)
        async with while_connected(request):
            body = await serving.run_code(program, caller)
        return Response(body, media_type="application/json")

    return router
