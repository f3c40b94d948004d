"""A served process: where it can't start it says why, and on SIGTERM it loses nothing."""

import asyncio
import json
import signal
import socket
import subprocess
from collections.abc import Callable

import httpx
import pytest

from services.kit.errors import StartupError
from services.kit.server import bind

Start = Callable[..., "subprocess.Popen[str]"]


async def test_sigterm_ends_the_request_in_flight_first_and_exits_zero(
    start: Start, free_port: int, wait_ready: Callable[[str], None]
) -> None:
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


async def test_with_a_drain_delay_it_is_unready_but_serves(
    start: Start, free_port: int, wait_ready: Callable[[str], None]
) -> None:
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
