"""Bearer keys: off with none set, constant-time, never logged."""

import hmac
from collections.abc import Sequence

from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from services.kit.error_replies import error_response
from services.kit.errors import ServiceError

OPEN_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})


class BearerAuth:
    """Answers 401 unless the request carries one of `keys`; `OPEN_PATHS` are open to all."""

    def __init__(self, app: ASGIApp, *, keys: Sequence[SecretStr]) -> None:
        self._app = app
        self._keys = [key.get_secret_value().encode() for key in keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS or self._accepts(Headers(scope=scope)):
            await self._app(scope, receive, send)
        else:
            error = ServiceError(401, "unauthorized", "send a valid key as 'Authorization: Bearer KEY'")
            await error_response(error)(scope, receive, send)

    def _accepts(self, headers: Headers) -> bool:
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        sent = token.strip().encode()
        matches = [hmac.compare_digest(sent, key) for key in self._keys]
        return scheme.lower() == "bearer" and any(matches)
