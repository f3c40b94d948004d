"""A bound on requests that wait for their reply to begin, for services whose work has no queue of its own."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.kit.auth import OPEN_PATHS
from services.kit.error_replies import error_response
from services.kit.errors import OverloadedError


class WaitingLimit:
    """Answers 429 to one more than `most`; a stream counts until its first byte, probes and scrapers never."""

    def __init__(self, app: ASGIApp, *, most: int) -> None:
        self._app = app
        self._most = most
        self._waiting = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, send)
            return
        if self._waiting >= self._most:
            message = f"{self._most} requests wait already; come back"
            await error_response(OverloadedError("too_many_requests", message))(scope, receive, send)
            return
        waits = True
        self._waiting += 1

        def leave() -> None:
            nonlocal waits
            self._waiting -= waits
            waits = False

        async def answer(message: Message) -> None:
            leave()
            await send(message)

        try:
            await self._app(scope, receive, answer)
        finally:
            leave()
