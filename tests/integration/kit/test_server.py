"""A served process: where it can't start it says why, and on SIGTERM it loses nothing."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from services.kit.errors import StartupError
from services.kit.server import bind

PROGRAM = """
import asyncio, sys
from fastapi import APIRouter
from prometheus_client import CollectorRegistry
from contextlib import asynccontextmanager
from services.contracts import Readiness
from services.kit.app import build_app
from services.kit.errors import StartupError
from services.kit.server import run
from services.kit.settings import ServiceSettings

router = APIRouter()

@router.get("/slow")
async def slow(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "done"

async def readiness():
    return Readiness(ready=True)

@asynccontextmanager
async def lifespan(app):
    if sys.argv[2] == "broken":
        raise StartupError("the model is missing")
    yield

settings = ServiceSettings()
app = build_app(name="slow", summary="", settings=settings, routers=[router],
                registry=CollectorRegistry(), readiness=readiness, lifespan=lifespan)
try:
    run(app, host="127.0.0.1", port=int(sys.argv[1]), settings=settings)
except StartupError as error:
    sys.exit(f"error: {error}")
"""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path, free_port: int) -> Iterator[Start]:
    """Run the program above as a process of its own; what is left of it is killed."""
    program = tmp_path / "slow.py"
    program.write_text(textwrap.dedent(PROGRAM))
    processes: list[subprocess.Popen[str]] = []

    def run(mode: str = "whole", **environment: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, str(program), str(free_port), mode],
            env={"PATH": "/usr/bin:/bin", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield run
    for process in processes:
        process.kill()
        process.communicate()


def wait_ready(url: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/readyz", trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    pytest.fail("the server did not become ready")


async def test_sigterm_ends_the_request_in_flight_first_and_exits_zero(start: Start, free_port: int) -> None:
    url = f"http://127.0.0.1:{free_port}"
    process = start()
    await asyncio.to_thread(wait_ready, url)
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        answer = asyncio.create_task(client.get("/slow", params={"seconds": 1.0}))
        await asyncio.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        assert (await answer).json() == "done"
    output, errors = process.communicate(timeout=10)
    assert process.returncode == 0, errors
    assert "draining" in [json.loads(line)["message"] for line in output.splitlines()]


async def test_with_a_drain_delay_it_is_unready_but_serves(start: Start, free_port: int) -> None:
    url = f"http://127.0.0.1:{free_port}"
    process = start(LINEWISE_DRAIN_DELAY_S="1.5")
    await asyncio.to_thread(wait_ready, url)
    process.send_signal(signal.SIGTERM)
    await asyncio.sleep(0.4)
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        assert (await client.get("/readyz")).status_code == 503
        assert (await client.get("/slow", params={"seconds": 0})).json() == "done"
    process.communicate(timeout=10)
    assert process.returncode == 0


def test_a_service_that_cannot_start_says_why(start: Start) -> None:
    process = start("broken")
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert errors.strip().splitlines()[-1] == "error: the model is missing"


def test_replies_are_not_held_back_by_nagles_algorithm() -> None:
    with bind("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_port_in_use_is_one_clear_sentence(free_port: int) -> None:
    message = rf"cannot listen on 127\.0\.0\.1:{free_port}: Address already in use"
    with socket.create_server(("127.0.0.1", free_port)), pytest.raises(StartupError, match=message):
        bind("127.0.0.1", free_port)
