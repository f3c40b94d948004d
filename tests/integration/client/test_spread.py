"""A name with several addresses: real servers on addresses of loopback, all at one port."""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Response

from services.client.spread import Spread
from services.kit.server import bind

ONE, TWO = "127.0.0.2", "127.0.0.3"


class House:
    """Servers that answer with their address, or with a status, and a client that knows their common name."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.addresses = [ONE, TWO]
        self.status = {ONE: 200, TWO: 200}
        self.all_have_come = threading.Barrier(6)
        self._running = {ONE: ExitStack(), TWO: ExitStack()}

    def start(self, address: str) -> None:
        self._running[address].enter_context(_serving(self._app(address), address, self.port))

    def stop(self, address: str) -> None:
        self._running[address].close()

    def client(self) -> httpx.AsyncClient:
        spread = Spread(httpx.AsyncHTTPTransport(), self._resolve)
        return httpx.AsyncClient(transport=spread, base_url=f"http://executor.test:{self.port}")

    async def _resolve(self, host: str, port: int) -> list[str]:
        assert (host, port) == ("executor.test", self.port)
        return self.addresses

    def _app(self, address: str) -> FastAPI:
        app = FastAPI()

        @app.get("/")
        async def answer() -> Response:
            return Response(address, self.status[address])

        @app.get("/together")
        def answer_together() -> Response:
            self.all_have_come.wait(timeout=30)
            return Response(address)

        return app


@contextmanager
def _serving(app: FastAPI, address: str, port: int) -> Iterator[None]:
    listener = bind(address, port)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@pytest.fixture
def house(free_port: int) -> Iterator[House]:
    house = House(free_port)
    yield house
    house.stop(ONE)
    house.stop(TWO)


@pytest.fixture
def both(house: House) -> House:
    house.start(ONE)
    house.start(TWO)
    return house


async def asked(client: httpx.AsyncClient, times: int = 20) -> Counter[str]:
    return Counter([(await client.get("/")).text for _ in range(times)])


async def test_requests_at_once_are_shared_evenly(both: House) -> None:
    async with both.client() as client:
        replies = await asyncio.gather(*(client.get("/together") for _ in range(6)))
    assert Counter(reply.text for reply in replies) == {ONE: 3, TWO: 3}


async def test_requests_one_after_another_go_to_all(both: House) -> None:
    async with both.client() as client:
        assert set(await asked(client, 40)) == {ONE, TWO}


async def test_who_is_down_is_passed_over_and_found_again_when_it_returns(house: House) -> None:
    house.start(TWO)
    async with house.client() as client:
        assert await asked(client) == {TWO: 20}
        house.start(ONE)
        house.stop(TWO)
        assert await asked(client) == {ONE: 20}


async def test_all_down_is_an_error_of_connection(house: House) -> None:
    async with house.client() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get("/")


@pytest.mark.parametrize("status", [429, 503])
async def test_who_is_overloaded_or_draining_is_left_alone_for_a_moment(
    both: House, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.client.spread._REST_S", 3600.0)
    both.status[ONE] = status
    async with both.client() as client:
        replies = [await client.get("/") for _ in range(40)]
    assert sum(reply.status_code == status for reply in replies) == 1


async def test_a_server_learns_the_name_that_it_was_called_by_and_not_its_address() -> None:
    seen: list[httpx.Request] = []

    def keep(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200)

    async def resolve(_host: str, _port: int) -> list[str]:
        return ["192.0.2.1", "2001:db8::1"]

    async with httpx.AsyncClient(transport=Spread(httpx.MockTransport(keep), resolve)) as client:
        for _ in range(20):
            await client.get("https://executor.test:8002/")
    assert {str(request.url) for request in seen} == {"https://192.0.2.1:8002/", "https://[2001:db8::1]:8002/"}
    assert {request.headers["Host"] for request in seen} == {"executor.test:8002"}
    assert {request.extensions["sni_hostname"] for request in seen} == {"executor.test"}


async def test_a_name_server_that_is_away_takes_nothing_away(both: House, monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[list[str] | None] = [[ONE, TWO], None]

    async def resolve(_host: str, _port: int) -> list[str]:
        if (found := answers.pop(0)) is None:
            raise OSError("no answer")
        return found

    monkeypatch.setattr("services.client.spread._RESOLVED_FOR_S", 0.0)
    spread = Spread(httpx.AsyncHTTPTransport(), resolve)
    async with httpx.AsyncClient(transport=spread, base_url=f"http://executor.test:{both.port}") as client:
        assert (await asked(client, 2)).total() == 2
    assert answers == []


async def test_a_name_that_nobody_knows_is_an_error_of_connection() -> None:
    async with httpx.AsyncClient(transport=Spread(httpx.AsyncHTTPTransport())) as client:
        with pytest.raises(httpx.ConnectError, match=r"nowhere\.invalid"):
            await client.get("http://nowhere.invalid/")
