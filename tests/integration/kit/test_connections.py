"""Clients that are slow, silent, endless or many, against a served process."""

import asyncio
import resource
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest

from services.contracts import ErrorReply

FILES = 2048
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Streams]:
    """A connection, and an end to waiting for what never comes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(60):
            yield reader, writer
    finally:
        writer.close()


def refusal(raw: bytes) -> tuple[int, str]:
    """The status and the code of a reply, whose body must be the contract's and whose id the header's."""
    head, _, body = raw.partition(b"\r\n\r\n")
    reply = ErrorReply.model_validate_json(body)
    assert f"X-Request-ID: {reply.request_id}" in head.decode()
    return int(head.split()[1]), reply.error.code


async def answered(url: str) -> bool:
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as client:
        return (await client.get("/slow", params={"seconds": 0})).status_code == 200


@pytest.fixture(scope="module")
def impatient(serving: Callable[..., Any]) -> Any:
    """A server that gives a head half a second and a body one."""
    return serving(LINEWISE_HEAD_S="0.5", LINEWISE_BODY_S="1", LINEWISE_MAX_HEAD_BYTES="2000")


@pytest.fixture(scope="module")
def roomy(serving: Callable[..., Any]) -> Any:
    """A server as it is by default, which may open as many files as it likes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 2 * FILES), hard))
    yield serving()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_a_head_that_trickles_in_is_408_while_others_are_served(impatient: Any) -> None:
    async with connected(impatient.port) as (reader, writer):
        writer.write(b"GET /slow?seconds=0 HTTP/1.1\r\nX-Endless: ")
        reading = asyncio.create_task(reader.read())
        assert await answered(impatient.url)
        while not reading.done():
            writer.write(b"a")
            await asyncio.sleep(0.05)
        assert refusal(await reading) == (408, "request_timeout")


async def test_a_body_that_never_ends_is_408(impatient: Any) -> None:
    async with connected(impatient.port) as (reader, writer):
        writer.write(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nfrom here on silence")
        assert refusal(await reader.read()) == (408, "request_timeout")
    assert await answered(impatient.url)


async def test_silent_connections_are_closed_without_a_word(impatient: Any) -> None:
    async with connected(impatient.port) as (reader, _):
        assert await reader.read() == b""


async def test_a_connection_kept_alive_starts_anew_with_each_request(impatient: Any) -> None:
    request = b"GET /slow?seconds=0.7 HTTP/1.1\r\nHost: x\r\n\r\n"
    async with connected(impatient.port) as (reader, writer):
        for _ in range(2):
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert b" 200 " in head
            assert await reader.readexactly(len('"done"')) == b'"done"'


@pytest.mark.parametrize("line", [b"GET /" + b"a" * 5000, b"GET / HTTP/1.1\r\nX-A: " + b"a" * 5000])
async def test_a_head_without_end_is_431(impatient: Any, line: bytes) -> None:
    async with connected(impatient.port) as (reader, writer):
        writer.write(line)
        assert refusal(await reader.read()) == (431, "headers_too_large")


async def test_what_is_not_http_is_400_in_the_contracts_words(impatient: Any) -> None:
    async with connected(impatient.port) as (reader, writer):
        writer.write(b"\x16\x03\x01\x00\xa5\x01\r\n\r\n")
        assert refusal(await reader.read()) == (400, "not_http")


@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_of_100_megabytes_is_413_and_never_in_memory(roomy: Any, announced: bool) -> None:
    before, piece = roomy.peak_memory(), b" " * 2**20

    async def body() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield piece

    length = {"Content-Length": str(100 * len(piece))} if announced else {}
    async with httpx.AsyncClient(base_url=roomy.url, trust_env=False, timeout=60) as client:
        answer = await client.post("/echo", content=body(), headers=length)
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "body_too_large")
    assert await answered(roomy.url)
    assert roomy.peak_memory() - before < 48 * 2**20


async def test_a_thousand_idle_connections_keep_nobody_out(roomy: Any) -> None:
    async with AsyncExitStack() as idle:
        for _ in range(1000):
            await idle.enter_async_context(connected(roomy.port))
        assert await answered(roomy.url)


async def test_one_connection_too_many_is_503_and_room_comes_back(serving: Callable[..., Any]) -> None:
    small = serving(LINEWISE_MAX_CONNECTIONS="2")
    async with connected(small.port), connected(small.port), connected(small.port) as (reader, _):
        raw = await reader.read()
        assert refusal(raw) == (503, "too_many_connections")
        assert b"Retry-After: 1\r\n" in raw
    assert await answered(small.url)
