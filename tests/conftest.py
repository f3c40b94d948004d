"""Fixtures for every room: a real socket for an app, a free port, the machine's own quiet environment."""

import asyncio
import contextlib
import os
import platform
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI

from services.executor.inside import linux
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


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB in memory that can be filled; only root may have one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture(scope="session")
def fill() -> Callable[[Path], Path]:
    """Take all that is left of a disk with one file; remove it to give it back."""

    def fill_up(folder: Path) -> Path:
        filler = folder / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        return filler

    return fill_up


@pytest.fixture(scope="session")
def forbid() -> Callable[..., Callable[[], None]]:
    """`subprocess.Popen(..., preexec_fn=forbid(*calls))`: a process to which the kernel denies these system calls."""

    def forbidding(*calls: str) -> Callable[[], None]:
        numbers = {_FORBIDDABLE[call][platform.machine()] for call in calls}
        tests = [struct.pack("=HBBI", 0x15, 0, 1, number) + _RETURN_EPERM for number in sorted(numbers)]
        filter_ = _LOAD_NUMBER + b"".join(tests) + _RETURN_ALLOW

        def forbid_here() -> None:
            linux.forbid_new_privileges()
            linux.install_filter(linux.SeccompProgram(len(filter_) // 8, filter_))

        return forbid_here

    return forbidding


_LOAD_NUMBER = struct.pack("=HBBI", 0x20, 0, 0, 0)
_RETURN_EPERM, _RETURN_ALLOW = (struct.pack("=HBBI", 0x06, 0, 0, action) for action in (0x00050001, 0x7FFF0000))
_FORBIDDABLE = {
    "unshare": {"x86_64": 272, "aarch64": 97},
    "mount": {"x86_64": 165, "aarch64": 40},
    "setns": {"x86_64": 308, "aarch64": 268},
    "pivot_root": {"x86_64": 155, "aarch64": 41},
    "landlock_create_ruleset": {"x86_64": 444, "aarch64": 444},
    "landlock_restrict_self": {"x86_64": 446, "aarch64": 446},
    "seccomp": {"x86_64": 317, "aarch64": 277},
    "mount_setattr": {"x86_64": 442, "aarch64": 442},
}


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
