"""A bound on request bodies, announced by `Content-Length` or not."""

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.kit.error_replies import error_response
from services.kit.errors import TooLargeError


class BodyLimit:
    """Answers 413 to a body of more than `max_bytes`, before reading it where its length is announced."""

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("Content-Length", "")
        if announced.isdecimal() and int(announced) > self._max_bytes:
            await error_response(TooLargeError("body_too_large", self._message()))(scope, receive, send)
            return

        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._max_bytes:
                raise HTTPException(413, self._message())
            return message

        await self._app(scope, counted, send)

    def _message(self) -> str:
        return f"the request body is larger than {self._max_bytes} bytes; send it in parts"
