"""Clients take turns over a real socket: fifty requests of one do not hold up the single request of another."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from services.executor.app import create_app
from services.executor.settings import ExecutorSettings

Serve = Callable[[FastAPI], str]
Connect = Callable[..., httpx.AsyncClient]
NAP_S = 0.05
NAP = {"code": f"import time\ntime.sleep({NAP_S})\n", "tests": ["assert 1 == 1"]}
MANY = 50


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """A client with an address of its own."""
    async with AsyncExitStack() as clients:

        def make(url: str, address: str, **headers: str) -> httpx.AsyncClient:
            limits = httpx.Limits(max_connections=2 * MANY)
            transport = httpx.AsyncHTTPTransport(local_address=address, limits=limits)
            client = httpx.AsyncClient(base_url=url, transport=transport, timeout=60, headers=headers)
            clients.push_async_callback(client.aclose)
            return client

        yield make


async def latency_of_one_beside_many(one: httpx.AsyncClient, many: httpx.AsyncClient) -> float:
    """Seconds that a request of `one` takes while `many` has fifty under way."""
    crowd = [asyncio.create_task(many.post("/execute", json=NAP)) for _ in range(MANY)]
    await asyncio.sleep(5 * NAP_S)
    started = time.monotonic()
    reply = await one.post("/execute", json=NAP)
    latency_s = time.monotonic() - started
    assert reply.json()["verdict"] == "accepted"
    assert sum(not task.done() for task in crowd) > MANY / 3
    assert {answer.json()["verdict"] for answer in await asyncio.gather(*crowd)} == {"accepted"}
    return latency_s


async def test_an_address_with_many_requests_does_not_starve_another(serve: Serve, connect: Connect) -> None:
    url = serve(create_app(ExecutorSettings(workers=1)))
    latency_s = await latency_of_one_beside_many(connect(url, "127.0.0.2"), connect(url, "127.0.0.1"))
    assert latency_s < 8 * NAP_S


async def test_a_key_with_many_requests_does_not_starve_another_behind_the_same_address(
    serve: Serve, connect: Connect
) -> None:
    settings = ExecutorSettings(workers=1, api_keys=(SecretStr("one"), SecretStr("many")))
    url = serve(create_app(settings))
    one, many = (connect(url, "127.0.0.1", Authorization=f"Bearer {key}") for key in ("one", "many"))
    assert await latency_of_one_beside_many(one, many) < 8 * NAP_S


async def test_a_long_batch_does_not_hold_up_a_request_of_the_same_client(serve: Serve, connect: Connect) -> None:
    client = connect(serve(create_app(ExecutorSettings(workers=1))), "127.0.0.1")
    batch = asyncio.create_task(client.post("/execute/batch", json={"programs": [NAP] * MANY}))
    await asyncio.sleep(5 * NAP_S)
    started = time.monotonic()
    assert (await client.post("/execute", json=NAP)).json()["verdict"] == "accepted"
    assert time.monotonic() - started < 8 * NAP_S
    assert not batch.done()
    assert len((await batch).json()["results"]) == MANY
