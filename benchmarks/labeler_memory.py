"""Memory of the labeler's worker while it labels: the peak of each of its processes, as the kernel counts it.

    python benchmarks/labeler_memory.py mbpp:601-700

Starts what `linewise label` starts, runs one job with the default recipe, and asks for `VmHWM` of the worker's
processes ten times a second, so that one which was replaced on the way is seen too. Leaves out the executor's programs.
"""

import argparse
import re
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from executor_service import machine

from services.cli.labeling import follow
from services.cli.ports import free_ports
from services.cli.running import running
from services.cli.stack import Stack
from services.contracts import JobRequest
from trainer.problems import load_problems

CONCURRENCY = 2
MIB = 1024
PARENT, CHILD = "parent", "child"


class Peaks:
    """The peaks of a worker's processes in KiB, by process id, and which of them is the parent."""

    def __init__(self) -> None:
        self.by_process: dict[int, tuple[str, int]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> "Peaks":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.1):
            for pid, role in _worker_processes():
                peak = _peak_kib(pid)
                if peak:
                    self.by_process[pid] = (role, peak)


def _worker_processes() -> Iterator[tuple[int, str]]:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
        if b"services.cli" in words and b"worker" in words:
            role = CHILD if b"worker" in _words_of(parent) else PARENT
            yield int(folder.name), role


def _words_of(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


def _peak_kib(pid: int) -> int:
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0
    return int(found[1]) if found else 0


def main() -> None:
    """Label, and print the peaks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("problems", help="as `linewise label` takes them")
    request = JobRequest(name="memory", problems=load_problems(parser.parse_args().problems))
    executor_port, labeler_port = free_ports(2)
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder), executor_port, labeler_port, concurrency=CONCURRENCY)
        with running(stack), Peaks() as peaks:
            begun = time.monotonic()
            job = follow(stack.urls["labeler"], request)
            took_s = time.monotonic() - begun
    print(machine())
    print(f"{job.problems.done} problems, {job.mutants.total} mutants, {took_s:.1f} s, {CONCURRENCY} processes")
    for pid, (role, peak) in sorted(peaks.by_process.items()):
        print(f"worker, {role} {pid}: VmHWM {peak / MIB:.0f} MiB")


if __name__ == "__main__":
    main()
