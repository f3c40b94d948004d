"""Sends requests away before their bodies are read, where they would be sent away behind it.

Under overload most requests are refused, and reading and checking each of them first takes the time that the accepted
ones need. What is left out: a request that is too much for the room that there is, which only the service can tell.
"""

from collections.abc import Callable, Mapping

from starlette.types import ASGIApp, Receive, Scope, Send

from services.kit.error_replies import error_response
from services.kit.errors import ServiceError

Refusal = Callable[[], ServiceError | None]
"""Says why nothing is taken in at the moment; None where the smallest request would be."""


class EarlyRefusal:
    """Answers a `POST` to one of the paths in `refusals` with what its function says, if it says something."""

    def __init__(self, app: ASGIApp, *, refusals: Mapping[str, Refusal]) -> None:
        self._app = app
        self._refusals = refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusals.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        error = refusal() if refusal else None
        answer = error_response(error) if error else self._app
        await answer(scope, receive, send)
