"""Runs the real command in a process of its own, as a shell would, and watches processes."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

LINEWISE = (sys.executable, "-P", "-m", "services.cli")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """No settings from outside, a data folder of its own, a terminal wide enough for every table."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("LINEWISE_")}
    return {**own, "LINEWISE_DATA_DIR": str(tmp_path / "data"), "COLUMNS": "200", "OMP_NUM_THREADS": "1"}


@pytest.fixture
def linewise(environment: dict[str, str], tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `linewise ARGUMENTS` in an empty folder to its end."""

    def run(*arguments: str, timeout_s: float = 120, **extra: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*LINEWISE, *arguments],
            capture_output=True,
            text=True,
            timeout=timeout_s,
            cwd=tmp_path,
            env={**environment, **extra},
        )

    return run


@pytest.fixture
def started(environment: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start `linewise ARGUMENTS` and leave it running; what still runs at the end of the test is killed."""
    processes = []

    def start(*arguments: str, **extra: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*LINEWISE, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env={**environment, **extra},
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def eventually() -> Callable[..., bool]:
    """Whether a condition comes true in time."""

    def holds(condition: Callable[[], object], within_s: float = 15.0) -> bool:
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            if condition():
                return True
            time.sleep(0.02)
        return bool(condition())

    return holds


@pytest.fixture
def lives() -> Callable[[int], bool]:
    """Whether a process runs (a zombie does not)."""

    def runs(pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except (FileNotFoundError, ProcessLookupError):
            return False

    return runs


@pytest.fixture
def descendants() -> Callable[[int], set[int]]:
    """The ids of all processes below one."""

    def below(pid: int) -> set[int]:
        found: set[int] = set()
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in map(int, task.read_text().split()):
                found |= {child} | below(child)
        return found

    return below
