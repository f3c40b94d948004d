"""Fixtures for every room: a real socket for an app, a free port, the machine's own quiet environment."""

import asyncio
import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import uvicorn
from fastapi import FastAPI

from services.kit.server import bind


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's LINEWISE_ variables decide nothing here, and a machine without user namespaces will do."""
    for name in list(os.environ):
        if name.startswith("LINEWISE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("LINEWISE_ALLOW_WEAK_ISOLATION", "1")


@pytest.fixture
def free_port() -> int:
    """A loopback port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def serve() -> Iterator[Callable[[FastAPI], str]]:
    """Run apps on real sockets, each in a thread of its own, until the test ends; returns the base URL."""
    with contextlib.ExitStack() as running:
        yield lambda app: running.enter_context(_served(app))


@contextlib.contextmanager
def _served(app: FastAPI) -> Iterator[str]:
    listener = bind("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=5))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])), daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while not server.started:
        assert thread.is_alive(), "the app did not start"
        assert time.monotonic() < deadline, "the app took more than a minute to start"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=30)
        listener.close()
        assert not thread.is_alive(), "the app did not stop"
