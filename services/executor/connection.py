"""The HTTP side of a caller: who is at the other end, until when, and whether it is still there."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Header, Request

from services.contracts.deadline import HEADER
from services.executor.caller import Caller
from services.kit.errors import ServiceError

DeadlineS = Annotated[
    float | None,
    Header(alias=HEADER, gt=0, allow_inf_nan=False, description="Seconds to the reply; 504 where it is not done then."),
]

_CLIENT_LEFT = 499
"""The status by which logs and metrics know that nobody read the reply."""


def caller_of(request: Request, deadline_s: float | None, *, by_key: bool) -> Caller:
    """A client is told by its key where keys are asked for, else by its address; time runs from now on."""
    if by_key:
        client = hashlib.sha256(request.headers.get("Authorization", "").encode()).hexdigest()
    else:
        client = request.client.host if request.client else ""
    return Caller(client, None if deadline_s is None else time.monotonic() + deadline_s)


@asynccontextmanager
async def while_connected(request: Request) -> AsyncIterator[None]:
    """Do the body, but give it up once the client has gone; the request's own body must have been read.

    Raises:
        ServiceError: (499, `client_left`) it has gone.
    """
    task = asyncio.current_task()
    assert task is not None
    left = over = False

    def leave(_: object) -> None:
        nonlocal left
        if not over:
            left = task.cancel()

    leaving = asyncio.create_task(_disconnected(request))
    leaving.add_done_callback(leave)
    try:
        yield
    except asyncio.CancelledError:
        if left and task.uncancel() == 0:
            raise ServiceError(_CLIENT_LEFT, "client_left", "the client did not wait for the reply") from None
        raise
    finally:
        over = True
        leaving.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
