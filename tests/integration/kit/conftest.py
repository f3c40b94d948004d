"""A small service as a process of its own."""

import os
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

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

@router.post("/echo")
async def echo(item: list[int]) -> list[int]:
    return item

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


@contextmanager
def _program(folder: Path, port: int, mode: str, environment: dict[str, str]) -> "Iterator[subprocess.Popen[str]]":
    """The program above as a process of its own; what is left of it in the end is killed."""
    program = folder / "slow.py"
    program.write_text(textwrap.dedent(PROGRAM))
    inherited = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    process = subprocess.Popen(
        [sys.executable, str(program), str(port), mode],
        env=inherited | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def start(tmp_path: Path, free_port: int) -> Iterator[Start]:
    """Run the program on `free_port`, with variables of its own, until the test ends."""
    with ExitStack() as running:
        yield lambda mode="whole", **environment: running.enter_context(
            _program(tmp_path, free_port, mode, environment)
        )


class Serving:
    """A program that serves."""

    def __init__(self, process: "subprocess.Popen[str]", port: int) -> None:
        self.process, self.port = process, port
        self.url = f"http://127.0.0.1:{port}"
        _wait_ready(self.url)

    def peak_memory(self) -> int:
        """The most bytes that it has held resident."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return 1024 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Serving]]:
    """Programs that serve all of a module's tests."""
    with ExitStack() as running:

        def run(**environment: str) -> Serving:
            with socket.create_server(("127.0.0.1", 0)) as listener:
                port = listener.getsockname()[1]
            folder = tmp_path_factory.mktemp("serving")
            return Serving(running.enter_context(_program(folder, port, "whole", environment)), port)

        yield run


@pytest.fixture
def wait_ready() -> Callable[[str], None]:
    """Wait until the server at a URL is ready."""
    return _wait_ready


def _wait_ready(url: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/readyz", trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    pytest.fail("the server did not become ready")
