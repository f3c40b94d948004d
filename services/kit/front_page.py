"""What stands at `GET /` for people; `services.kit.pages` makes such pages, and services without one don't load it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response


@dataclass(frozen=True, slots=True)
class FrontPage:
    """`view` answers those who prefer HTML; `door` is the 401 of those among them who sent no key where one is due."""

    view: Callable[[Request], Awaitable[Response]]
    door: Callable[[], Response]
