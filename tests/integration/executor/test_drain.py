"""SIGTERM to the real process under load: every request is answered, what runs ends, and the process leaves with 0."""

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

CALLERS, WORKERS, DRAIN_S = 16, 2, 4
Served = tuple[subprocess.Popen[bytes], str]


@pytest.fixture
def served(free_port: int, tmp_path: Path) -> Iterator[Served]:
    """`linewise serve executor` in a process of its own, ready, and its URL."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("LINEWISE_")},
        "LINEWISE_EXECUTOR_WORKERS": str(WORKERS),
        "LINEWISE_DRAIN_S": str(DRAIN_S),
        "LINEWISE_DATA_DIR": str(tmp_path / "data"),
    }
    command = [sys.executable, "-P", "-m", "services.cli", "serve", "executor", "--port", str(free_port)]
    process = subprocess.Popen(command, env=environment, cwd=tmp_path, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{free_port}"
    deadline = time.monotonic() + 60
    while not _ready(url):
        assert process.poll() is None, "the executor did not start"
        assert time.monotonic() < deadline, "the executor took more than a minute to start"
        time.sleep(0.05)
    yield process, url
    process.kill()
    process.wait()


def _living() -> dict[int, int]:
    """The living processes of this machine and their parents."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                parents[int(stat.parent.name)] = int(parent)
    return parents


def _below(root: int) -> set[int]:
    """The processes that descend from `root`."""
    found, parents = {root}, _living()
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {root}


def test_a_service_that_is_killed_takes_everything_along(served: Served) -> None:
    process, url = served
    sleeping = {"code": "import time\ntime.sleep(20)\n", "tests": ["assert 1 == 1"], "limits": {"wall_s": 30}}

    def call() -> None:
        with suppress(httpx.TransportError):
            httpx.post(f"{url}/execute", json=sleeping, timeout=60)

    with ThreadPoolExecutor(WORKERS) as callers:
        calls = [callers.submit(call) for _ in range(WORKERS)]
        time.sleep(1)
        below = _below(process.pid)
        assert len(below) >= 3 * WORKERS
        process.kill()
        for each in calls:
            each.result()
    deadline = time.monotonic() + 10
    while below & _living().keys():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").status_code == 200
    except httpx.TransportError:
        return False


def terminate_under_load(served: Served, route: str, body: dict[str, Any]) -> Counter[tuple[int, str]]:
    """Send `body` many times at once, then SIGTERM; how often each status and its error code was the answer."""
    process, url = served

    def call(_: int) -> tuple[int, str]:
        reply = httpx.post(url + route, json=body, timeout=60)
        return reply.status_code, reply.json()["error"]["code"] if reply.is_error else ""

    with ThreadPoolExecutor(CALLERS) as callers:
        answers = [callers.submit(call, number) for number in range(CALLERS)]
        time.sleep(1)
        process.terminate()
        found = Counter(answer.result() for answer in answers)
    assert process.wait(timeout=2 * DRAIN_S) == 0
    return found


def sleeping(seconds: float) -> dict[str, Any]:
    return {"code": f"import time\ntime.sleep({seconds})\n", "tests": ["assert 1 == 1"], "limits": {"wall_s": 20}}


def test_what_runs_ends_and_what_waits_is_answered_503(served: Served) -> None:
    found = terminate_under_load(served, "/execute", sleeping(2))
    assert found == {(200, ""): WORKERS, (503, "draining"): CALLERS - WORKERS}


def test_what_does_not_end_in_the_drain_time_is_answered_too(served: Served) -> None:
    started = time.monotonic()
    found = terminate_under_load(served, "/execute", sleeping(15))
    assert found == {(503, "draining"): CALLERS}
    assert time.monotonic() - started < 3 * DRAIN_S


def test_batches_under_way_are_answered_503(served: Served) -> None:
    found = terminate_under_load(served, "/execute/batch", {"programs": [sleeping(0.5)] * 20})
    assert found == {(503, "draining"): CALLERS}


def test_run_code_is_answered_504_which_its_clients_try_again(served: Served) -> None:
    found = terminate_under_load(served, "/run_code", {"code": "import time\ntime.sleep(2)", "language": "python"})
    assert found == {(200, ""): WORKERS, (504, "draining"): CALLERS - WORKERS}
