"""The executor that is measured: started on a free port, its resident memory, and the machine beneath it."""

import os
import platform
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

START_S = 60.0
STOP_S = 30.0


@dataclass(frozen=True)
class Resident:
    """Memory of a process tree in bytes.

    `rss` counts a page once for each process that has it, `pss` once in all; None where the kernel does not say
    (another user's processes, or those that closed themselves to us).
    """

    processes: int
    rss: int
    pss: int | None

    @property
    def honest(self) -> int:
        """What the machine really gives up: `pss`, else the upper bound `rss`."""
        return self.rss if self.pss is None else self.pss


@contextmanager
def served() -> Iterator[tuple[str, int]]:
    """`linewise serve executor` with this environment; yields its URL and process id."""
    port = _free_port()
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.cli", "serve", "executor", "--port", str(port)], stdout=log, stderr=log
        )
        url = f"http://127.0.0.1:{port}"
        try:
            if not _ready(url, process):
                log.seek(0)
                raise SystemExit(f"the executor did not become ready; its log:\n{log.read()[-2000:]}")
            yield url, process.pid
        finally:
            _stop(process)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _ready(url: str, process: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/readyz", trust_env=False).is_success:
                return True
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def resident(root: int) -> Resident:
    """Memory of process `root` and all that descend from it."""
    found = [(rss, _pss(pid)) for pid in _tree(root) if (rss := _rss(pid)) > 0]
    shares = [pss for _, pss in found if pss is not None]
    return Resident(len(found), sum(rss for rss, _ in found), sum(shares) if len(shares) == len(found) else None)


def _tree(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(stat.parent.name))
    tree = [root]
    for pid in tree:
        tree += children.get(pid, [])
    return tree


def _rss(pid: int) -> int:
    """0 for a process that has gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _pss(pid: int) -> int | None:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return None
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def machine() -> dict[str, str | int | float]:
    """Cores, processor, kernel, Python and the load that others make."""
    info = Path("/proc/cpuinfo").read_text()
    models = [line.partition(":")[2].strip() for line in info.splitlines() if line.startswith("model name")]
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": models[0] if models else platform.machine(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load before": round(os.getloadavg()[0], 2),
    }
