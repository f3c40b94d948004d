"""The real process where user namespaces are denied: it refuses to start, and says why, unless it is told to."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from services.executor.tiers import FULL

Forbid = Callable[..., Callable[[], None]]
WEAK = "seccomp+landlock+rlimits"
DOCKERS_DEFAULT = ("unshare", "mount", "setns", "pivot_root")
"""What Docker's seccomp profile denies to a container without CAP_SYS_ADMIN."""


def command(port: int) -> list[str]:
    return [sys.executable, "-P", "-m", "services.cli", "serve", "executor", "--port", str(port)]


def environment(tmp_path: Path, **settings: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LINEWISE_")}
    ours = {"LINEWISE_EXECUTOR_WORKERS": "1", "LINEWISE_DATA_DIR": str(tmp_path / "data"), "COLUMNS": "200"}
    return {**inherited, **ours, **settings}


@contextmanager
def serving(port: int, tmp_path: Path, before: Callable[[], None] | None, **settings: str) -> Iterator[str]:
    process = subprocess.Popen(
        command(port), env=environment(tmp_path, **settings), cwd=tmp_path, stderr=subprocess.DEVNULL, preexec_fn=before
    )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while not is_ready(url):
            assert process.poll() is None, "the executor did not start"
            assert time.monotonic() < deadline, "the executor took more than a minute to start"
            time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        assert process.wait(timeout=30) == 0


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").status_code == 200
    except httpx.TransportError:
        return False


def refusal(port: int, tmp_path: Path, before: Callable[[], None], **settings: str) -> str:
    """What a service that does not start says."""
    run = subprocess.run(
        command(port),
        env=environment(tmp_path, **settings),
        cwd=tmp_path,
        preexec_fn=before,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode not in (0, None)
    return run.stdout + run.stderr


def isolation_everywhere(url: str) -> set[str]:
    """What `/readyz`, a reply of each route and the metrics say."""
    program = {"code": "def f(x):\n    return x", "tests": ["assert f(1) == 1"]}
    reply = httpx.post(f"{url}/execute", json=program).json()
    batch = httpx.post(f"{url}/execute/batch", json={"programs": [program]}).json()
    assert reply["verdict"] == "accepted"
    assert httpx.post(f"{url}/run_code", json={"code": "print(1)", "language": "python"}).json()["status"] == "Success"
    said = {httpx.get(f"{url}/readyz").json()["details"]["isolation"], reply["isolation"]}
    said |= {result["isolation"] for result in batch["results"]}
    metrics = httpx.get(f"{url}/metrics").text.splitlines()
    named = [line for line in metrics if 'isolation="' in line]
    assert any(line.startswith("linewise_executor_isolation_info{") for line in named)
    assert any(line.startswith("linewise_executor_programs_total{") for line in named)
    return said | {line.split('isolation="')[1].split('"')[0] for line in named}


@pytest.mark.parametrize("settings", [{}, {"LINEWISE_ALLOW_WEAK_ISOLATION": "0"}])
def test_without_user_namespaces_it_does_not_start(
    free_port: int, tmp_path: Path, forbid: Forbid, settings: dict[str, str]
) -> None:
    said = refusal(free_port, tmp_path, forbid(*DOCKERS_DEFAULT), **settings)
    assert f"gives only {WEAK}" in said
    assert "no namespaces" in said
    assert "Operation not permitted" in said
    assert "LINEWISE_ALLOW_WEAK_ISOLATION=1" in said


def test_without_landlock_too_it_never_starts(free_port: int, tmp_path: Path, forbid: Forbid) -> None:
    denied = forbid(*DOCKERS_DEFAULT, "landlock_create_ruleset")
    said = refusal(free_port, tmp_path, denied, LINEWISE_ALLOW_WEAK_ISOLATION="1")
    assert "too little isolation" in said
    assert "no landlock" in said


def test_where_it_may_it_serves_and_names_its_layers_everywhere(free_port: int, tmp_path: Path, forbid: Forbid) -> None:
    denied = forbid(*DOCKERS_DEFAULT)
    with serving(free_port, tmp_path, denied, LINEWISE_ALLOW_WEAK_ISOLATION="1") as url:
        assert isolation_everywhere(url) == {WEAK}


def test_with_user_namespaces_it_has_all_layers_and_needs_no_setting(free_port: int, tmp_path: Path) -> None:
    unshared = subprocess.run(["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "true"])
    if unshared.returncode:
        pytest.skip("this machine gives no user namespaces")
    with serving(free_port, tmp_path, None) as url:
        assert isolation_everywhere(url) == {"+".join(FULL)}
