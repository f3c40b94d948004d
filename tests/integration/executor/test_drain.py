"""SIGTERM to the real process under load: every request is answered, what runs ends, and the process leaves with 0."""

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
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
