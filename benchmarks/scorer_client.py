"""The client of the scorer's benchmark: as little as HTTP/1.1 needs, for it shares the servers' cores.

A client library costs a millisecond of processor time a call, which is half of what such a call costs all in all here.
So requests are made once, each connection sends the next when its reply is whole, and a reply's JSON is read.
Leaves out: chunked replies, redirects, everything that none of the servers does.
"""

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Call:
    """A request that can be sent any number of times."""

    host: str
    port: int
    message: bytes

    @classmethod
    def post(cls, url: str, body: object) -> "Call":
        """A POST of `body` as JSON."""
        parts, content = urlsplit(url), json.dumps(body).encode()
        head = f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
        return cls(
            str(parts.hostname),
            int(parts.port or 80),
            f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content,
        )


def make(calls: Sequence[Call], *, at_once: int = 1) -> list[Any]:
    """The replies' bodies, in any order, so many calls under way at any time.

    Raises:
        RuntimeError: a reply is not a 200.
    """
    return asyncio.run(_make(calls, at_once))


async def _make(calls: Sequence[Call], at_once: int) -> list[Any]:
    loop = asyncio.get_running_loop()
    waiting, replies = iter(calls), list[Any]()
    connections = [_Connection(waiting, replies, loop.create_future()) for _ in range(min(at_once, len(calls)))]
    for connection in connections:
        await loop.create_connection(lambda one=connection: one, calls[0].host, calls[0].port)
    await asyncio.gather(*(connection.done for connection in connections))
    return replies


class _Connection(asyncio.Protocol):
    """Takes the next of `waiting` until there is none."""

    def __init__(self, waiting: Iterator[Call], replies: list[Any], done: "asyncio.Future[None]") -> None:
        self.done = done
        self._waiting = waiting
        self._replies = replies
        self._received = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, content = self._received.partition(b"\r\n\r\n")
        if not separator:
            return
        if b" 200 " not in head.splitlines()[0]:
            self._transport.abort()
            self.done.set_exception(RuntimeError(self._received.decode()))
        elif len(content) == _content_length(head):
            self._replies.append(json.loads(content))
            self._received.clear()
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or RuntimeError("the server hung up"))

    def _send(self) -> None:
        if call := next(self._waiting, None):
            self._transport.write(call.message)
        else:
            self.done.set_result(None)
            self._transport.close()


def _content_length(head: bytes) -> int:
    fields = head.lower().split(b"\r\n")
    return next(int(field.split(b":")[1]) for field in fields if field.startswith(b"content-length:"))
