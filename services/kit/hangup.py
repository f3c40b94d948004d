"""Work ends with the caller who asked for it: a route whose client hangs up is cancelled.

Starlette lets a handler run on when its client is gone, and what it computes goes nowhere. It is asked for route by
route, `APIRouter(route_class=CancelledRoute)`, since work that others will read must not end this way.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from services.kit.errors import ServiceError

CLIENT_CLOSED_REQUEST = 499
"""The status that logs and metrics show, nginx's own; nobody is left to read it."""


class CancelledRoute(APIRoute):
    """Its handler is cancelled when the client hangs up before the answer."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, watched from the moment the body is read."""
        handle = super().get_route_handler()

        async def handle_watched(request: Request) -> Response:
            try:
                await request.body()
            except ClientDisconnect as error:
                raise _nobody_left() from error
            async with _cancelled_by_hangup(request):
                return await handle(request)

        return handle_watched


@asynccontextmanager
async def _cancelled_by_hangup(request: Request) -> AsyncIterator[None]:
    """Cancel the body if the client leaves, as `asyncio.timeout` does if time runs out."""
    work = asyncio.current_task()
    assert work is not None
    watch = asyncio.create_task(_cancel_at_hangup(request, work))
    try:
        yield
    except asyncio.CancelledError as error:
        if watch.done() and work.uncancel() == 0:
            raise _nobody_left() from error
        raise
    finally:
        watch.cancel()


async def _cancel_at_hangup(request: Request, work: "asyncio.Task[Any]") -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    work.cancel()


def _nobody_left() -> ServiceError:
    return ServiceError(CLIENT_CLOSED_REQUEST, "client_closed_request", "the client hung up")
