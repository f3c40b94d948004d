"""The part that all three clients share: one connection pool, deadlines, retries, errors by name."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from services import tracing
from services.client.endpoints import default_api_key, default_url
from services.client.errors import (
    DeadlineExceededError,
    LinewiseError,
    OverloadedError,
    RequestError,
    ServerError,
    UnavailableError,
    UnreachableError,
)
from services.client.retry import RETRIED_STATUSES, RetryPolicy
from services.client.spread import Spread
from services.contracts import ErrorReply, Readiness, ServiceInfo
from services.contracts.request_id import HEADER, current_request_id

Answer = TypeVar("Answer", bound=BaseModel)
_JSON = {"Content-Type": "application/json"}


class ServiceClient:
    """An async context manager around one connection pool; use one client for many calls.

    `timeout_s` bounds a whole call, its retries and waits included. Safe to share between tasks of one event loop.
    """

    service: str

    def __init__(
        self,
        base_url: str | None = None,
        *,
        api_key: str | None = None,
        timeout_s: float = 60.0,
        retry: RetryPolicy | None = None,
        max_connections: int = 100,
    ) -> None:
        self.base_url = (base_url or default_url(self.service)).rstrip("/")
        self.timeout_s = timeout_s
        self._retry = retry or RetryPolicy()
        self._api_key = api_key
        limits = httpx.Limits(max_connections=max_connections, max_keepalive_connections=max_connections)
        self._http = httpx.AsyncClient(
            base_url=self.base_url,
            transport=Spread(httpx.AsyncHTTPTransport(verify=_trusted_roots(), limits=limits, trust_env=False)),
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the pool's connections."""
        await self._http.aclose()

    async def ready(self) -> Readiness:
        """`GET /readyz`, asked once: a service that is not ready says so in the answer, not by an exception."""
        async with self._errors_by_name():
            response = await self._http.get("/readyz", timeout=self.timeout_s)
        return _parse(Readiness, response)

    async def info(self) -> ServiceInfo:
        """`GET /`: name and version."""
        return await self._call(ServiceInfo, "GET", "/")

    async def metrics(self) -> str:
        """`GET /metrics`: Prometheus' text format."""
        async with self._stream("/metrics") as response:
            return (await response.aread()).decode()

    async def _call(
        self,
        reply: type[Answer],
        method: str,
        path: str,
        body: BaseModel | None = None,
        query: Mapping[str, Any] | None = None,
    ) -> Answer:
        """Send one request until it is answered, refused for good, out of attempts or out of time."""
        content = body.model_dump_json() if body is not None else None
        deadline = time.monotonic() + self.timeout_s
        attempt = 1
        while True:
            retry_after_s = 0.0
            try:
                response = await self._send(method, path, content, query, deadline)
                if response.is_success:
                    return _parse(reply, response)
                failure = _failure(response)
                if response.status_code not in RETRIED_STATUSES:
                    raise failure
                retry_after_s = _retry_after_s(response)
            except UnreachableError as error:
                failure = error
            wait_s = self._retry.wait_s(attempt, retry_after_s)
            if attempt >= self._retry.attempts or time.monotonic() + wait_s >= deadline:
                raise failure
            await asyncio.sleep(wait_s)
            attempt += 1

    async def _send(
        self, method: str, path: str, content: str | None, query: Mapping[str, Any] | None, deadline: float
    ) -> httpx.Response:
        left_s = max(0.0, deadline - time.monotonic())
        with tracing.span(f"{method} {self.service}", "client") as current:
            headers = self._headers(content) | self._headers_within(left_s)
            async with self._errors_by_name(), asyncio.timeout(left_s):
                response = await self._http.request(
                    method, path, content=content, params=query, headers=headers, timeout=None
                )
            current.tell(http_status=response.status_code)
            return response

    def _headers(self, content: str | None) -> dict[str, str]:
        """The key is looked up for each attempt: the file that it may stand in may have changed."""
        headers = (dict(_JSON) if content is not None else {}) | tracing.carrier()
        if key := self._api_key or default_api_key(self.service):
            headers["Authorization"] = f"Bearer {key}"
        if request_id := current_request_id.get():
            headers[HEADER] = request_id
        return headers

    def _headers_within(self, left_s: float) -> dict[str, str]:
        """Headers of an attempt that has so many seconds; a service that can be told them overrides this."""
        return {}

    @asynccontextmanager
    async def _stream(self, path: str, query: Mapping[str, Any] | None = None) -> AsyncIterator[httpx.Response]:
        """An answer that is read as it comes; `timeout_s` bounds its silences, nothing is retried."""
        timeout = httpx.Timeout(self.timeout_s)
        async with (
            self._errors_by_name(),
            self._http.stream("GET", path, params=query, headers=self._headers(None), timeout=timeout) as response,
        ):
            if not response.is_success:
                await response.aread()
                raise _failure(response)
            yield response

    @asynccontextmanager
    async def _lines(self, path: str, query: Mapping[str, Any] | None = None) -> AsyncIterator[AsyncIterator[str]]:
        """The lines of a streamed answer."""
        async with self._stream(path, query) as response:
            yield response.aiter_lines()

    @asynccontextmanager
    async def _errors_by_name(self) -> AsyncIterator[None]:
        try:
            yield
        except (TimeoutError, httpx.TimeoutException) as error:
            message = f"the {self.service} at {self.base_url} gave no answer in {self.timeout_s:g} s"
            raise DeadlineExceededError(message) from error
        except httpx.TransportError as error:
            message = f"no answer from the {self.service} at {self.base_url}: {error or type(error).__name__}"
            raise UnreachableError(message) from error


@cache
def _trusted_roots() -> ssl.SSLContext:
    """Read once a process: that takes longer than a dozen calls."""
    return httpx.create_ssl_context(trust_env=False)


def _parse(reply: type[Answer], response: httpx.Response) -> Answer:
    try:
        return reply.model_validate_json(response.content)
    except ValidationError as error:
        raise ServerError(f"{response.request.url} answered {response.status_code} with an unknown body") from error


def _failure(response: httpx.Response) -> LinewiseError:
    """The exception for an answer that is not 2xx."""
    status = response.status_code
    try:
        error = ErrorReply.model_validate_json(response.content).error
        code, message, details = error.code, error.message, error.details
    except ValidationError:
        code, message, details = "unknown", f"HTTP {status} from {response.request.url}", None
    kinds = {429: OverloadedError, 503: UnavailableError, 504: DeadlineExceededError}
    if status in kinds:
        failure = kinds[status](message)
        failure.retry_after_s = _retry_after_s(response)
        return failure
    return ServerError(message) if status >= 500 else RequestError(status, code, message, details)


def _retry_after_s(response: httpx.Response) -> float:
    """`Retry-After` in seconds; its other form, a date, is not one that our services send and counts as 0."""
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isdecimal() else 0.0
