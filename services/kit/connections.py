"""Connections with bounds: how long a request may take to arrive, how long its head may be, how many there are.

uvicorn waits without end for a request that never becomes whole, and gathers a head of any length. Here whoever says
nothing, or too little at a time (https://en.wikipedia.org/wiki/Slowloris_(cyber_attack)), is closed; and what is
refused before the application sees it has the contract's error body too. Leaves out the body's length (`body_limit`),
and whoever reads a reply slowly: he holds one connection and a small buffer.
"""

import logging
import resource
import uuid
from asyncio import TimerHandle, Transport
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from services.contracts import ErrorDetail, ErrorReply

logger = logging.getLogger(__name__)

_MOST_DESCRIPTORS = 65536
_RETRY_AFTER_S = 1


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a client may take."""

    head_s: float
    """From the connection, or from a request's first byte, to the end of its head."""
    body_s: float
    """From there to the end of its body."""
    head_bytes: int
    connections: int


class BoundedConfig(uvicorn.Config):
    """uvicorn's settings, and the bounds that each connection reads."""

    def __init__(self, app: Any, bounds: Bounds, **options: Any) -> None:
        super().__init__(app, http=BoundedHttp, ws="none", **options)
        self.bounds = bounds


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's protocol with a clock and a ruler."""

    def __init__(self, config: BoundedConfig, *arguments: Any, **options: Any) -> None:
        super().__init__(config, *arguments, **options)
        self._bounds = config.bounds
        self._clock: TimerHandle | None = None
        self._in_head = False
        self._head_bytes = 0

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self._bounds.connections:
            self._refuse(503, "too_many_connections", "this server has no connection left for you; come back")
        else:
            self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > self._bounds.head_bytes:
            message = f"the request's line and headers are longer than {self._bounds.head_bytes} bytes"
            self._refuse(431, "headers_too_large", message)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._wait_for_head()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._start_clock(self._bounds.body_s)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._stop_clock()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """uvicorn calls it for what is not HTTP."""
        self._refuse(400, "not_http", msg)

    def _wait_for_head(self) -> None:
        if not self._in_head:
            self._in_head, self._head_bytes = True, 0
            self._start_clock(self._bounds.head_s)

    def _start_clock(self, seconds: float) -> None:
        self._stop_clock()
        self._clock = self.loop.call_later(seconds, self._too_late)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _too_late(self) -> None:
        if self._in_head:
            asks = self._head_bytes > 0 and (self.cycle is None or self.cycle.response_complete)
        else:
            asks = not self.cycle.response_started and not self.pipeline
        if asks:
            self._refuse(408, "request_timeout", "the request took too long to arrive")
        else:
            self.transport.close()

    def _refuse(self, status: int, code: str, message: str) -> None:
        """Answer before the application has, and close."""
        self._stop_clock()
        request_id = uuid.uuid4().hex
        logger.warning("connection refused", extra={"status": status, "code": code, "request_id": request_id})
        reply = ErrorReply(error=ErrorDetail(code=code, message=message, details=None), request_id=request_id)
        self.transport.write(_response(status, request_id, reply.model_dump_json().encode()))
        self.transport.close()


def _response(status: int, request_id: str, body: bytes) -> bytes:
    head = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        f"X-Request-ID: {request_id}",
        *([f"Retry-After: {_RETRY_AFTER_S}"] if status == HTTPStatus.SERVICE_UNAVAILABLE else []),
        "Connection: close",
    ]
    return "\r\n".join([*head, "", ""]).encode("ascii") + body


def raise_descriptor_limit() -> int:
    """Let this process open as many files as it may, up to 65,536, and say how many that are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = _MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MOST_DESCRIPTORS)
    if soft == resource.RLIM_INFINITY or soft >= allowed:
        return _MOST_DESCRIPTORS if soft == resource.RLIM_INFINITY else soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return allowed
