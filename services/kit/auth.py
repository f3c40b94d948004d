"""Bearer keys: off with none set, constant-time, never logged; a person at `GET /` is asked for one on a page."""

from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from services.kit.error_replies import error_response
from services.kit.errors import ServiceError
from services.kit.keys import Keys
from services.kit.negotiation import prefers_html

OPEN_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})


class BearerAuth:
    """Answers 401 unless the request carries one of `keys`; `OPEN_PATHS` are open to all.

    `door` makes the 401 that those get who ask `GET /` for HTML; the error body goes to all others.
    """

    def __init__(self, app: ASGIApp, *, keys: Keys, door: Callable[[], Response] | None = None) -> None:
        self._app = app
        self._door = door
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS or self._accepts(Headers(scope=scope)):
            await self._app(scope, receive, send)
        else:
            await self._refusal(scope)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response:
        if self._door and (scope["method"], scope["path"]) == ("GET", "/") and prefers_html(Headers(scope=scope)):
            return self._door()
        return error_response(ServiceError(401, "unauthorized", "send a valid key as 'Authorization: Bearer KEY'"))

    def _accepts(self, headers: Headers) -> bool:
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self._keys.accepts(token.strip())
