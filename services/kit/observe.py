"""Sees every request from outside: gives it an id, counts and times it, logs one line, answers 500 if it crashes."""

import logging
import random
import re
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.contracts.request_id import HEADER, current_request_id
from services.kit.auth import OPEN_PATHS
from services.kit.error_replies import error_response
from services.kit.errors import ServiceError
from services.tracing import Span, is_on, span

logger = logging.getLogger(__name__)

_WELL_FORMED_ID = re.compile(r"[A-Za-z0-9._:\-]{1,128}")


class RequestMetrics:
    """Rate, errors and duration of every route."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ["method", "route"]
        self.requests = Counter(
            "linewise_http_requests_total", "Requests answered.", [*labels, "status"], registry=registry
        )
        self.seconds = Histogram(
            "linewise_http_request_seconds",
            "From the first byte read to the last byte sent.",
            labels,
            registry=registry,
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
        )
        self.in_flight = Gauge("linewise_http_requests_in_flight", "Requests being served.", registry=registry)


class Observe:
    """The outermost middleware; a request's id is the caller's `X-Request-ID` where that is well-formed.

    `paths`: of routes; one that is answered before it is routed counts for the route whose whole path it asked for.
    """

    def __init__(self, app: ASGIApp, *, metrics: RequestMetrics, paths: frozenset[str]) -> None:
        self._app = app
        self._metrics = metrics
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent_id = Headers(scope=scope).get(HEADER, "")
        request_id = sent_id if _WELL_FORMED_ID.fullmatch(sent_id) else f"{random.getrandbits(128):032x}"
        token = current_request_id.set(request_id)
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        started = time.perf_counter()
        try:
            with _span_of(scope) as current:
                with self._metrics.in_flight.track_inprogress():
                    await self._answer(scope, receive, send_with_id, started=lambda: status != 0)
                route = self._route(scope)
                self._record(scope, route, status, time.perf_counter() - started)
                _describe(current, scope["method"], route, status)
        finally:
            current_request_id.reset(token)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, *, started: Callable[[], bool]) -> None:
        try:
            await self._app(scope, receive, send)
        except Exception:
            logger.exception("request crashed")
            if started():
                raise
            error = ServiceError(500, "internal_error", "the service failed; its log has the request id")
            await error_response(error)(scope, receive, send)

    def _route(self, scope: Scope) -> str:
        whole_path = scope["path"] if scope["path"] in self._paths else "unmatched"
        return str(getattr(scope.get("route"), "path", whole_path))

    def _record(self, scope: Scope, route: str, status: int, seconds: float) -> None:
        method = scope["method"]
        self._metrics.requests.labels(method, route, str(status)).inc()
        self._metrics.seconds.labels(method, route).observe(seconds)
        level = logging.DEBUG if scope["path"] in OPEN_PATHS else logging.INFO
        fields = {"method": method, "route": route, "status": status, "seconds": round(seconds, 6)}
        logger.log(level, "request", extra=fields)


def _span_of(scope: Scope) -> AbstractContextManager[Span]:
    """Below the caller's span where it sent one; none for those who only look whether we live."""
    if not is_on() or scope["path"] in OPEN_PATHS:
        return nullcontext(Span())
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    return span(scope["method"], "server", caller=headers)


def _describe(current: Span, method: str, route: str, status: int) -> None:
    request_id = current_request_id.get() or ""
    current.rename(f"{method} {route}")
    current.tell(http_route=route, http_status=status, request_id=request_id)
    if status >= 500:
        current.fail(str(status))
