"""Where a program's processor time goes, without HTTP: one sandbox, one program after another.

    python benchmarks/executor_costs.py

Prints what a fork and exit of a bare Python costs here, then for programs of 1 and 20 tests, new to the service and
seen before, milliseconds of the zygote, the child and the service (splitting, ordering, watching, judging) a program.
Medians over rounds; the kernel's own account of run time (/proc/PID/schedstat), the child's from its end. Leaves out:
HTTP, the pool, other sandboxes; `benchmarks/executor.py` has those.
"""

import argparse
import os
import secrets
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from services.contracts import ExecuteRequest, Verdict
from services.executor.examination import examine
from services.executor.forkserver import ForkServer
from services.executor.planning import may_choose_users
from services.executor.sandbox import Bounds, Ending, Report, Session

BOUNDS = Bounds(5.0, 5.0, 256 * 1024**2, 65536, 16 * 1024**2, 16)

_FORKS = """
import os, time
taken = []
for _ in range(300):
    began = time.perf_counter()
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    taken.append(time.perf_counter() - began)
print(1000 * sorted(taken)[150])
"""


class Accounted:
    """A fork server that adds up what its children spent."""

    def __init__(self, server: ForkServer) -> None:
        self._server = server
        self.isolation = server.isolation
        self.children_s = 0.0

    def run(self, session: Session, keep_on: Callable[[Report], bool]) -> Ending:
        """One session; a child's time is that of its tests and what its end adds to that."""

        def account(report: Report) -> bool:
            self.children_s += report.usage.cpu_s or 0.0
            return keep_on(report)

        ending = self._server.run(session, account)
        self.children_s += ending.usage.cpu_s or 0.0
        return ending

    def close(self) -> None:
        """End it."""
        self._server.close()


def programs(tests: int, count: int, mark: str) -> list[ExecuteRequest]:
    """`count` programs of so many tests, whose source is new where `mark` is."""
    code = "def f(x):\n    return x + 1\n"
    sources = [[f"assert f({k}) == {k + 1}  # {mark} {number}" for k in range(tests)] for number in range(count)]
    return [ExecuteRequest(code=code, tests=list(each)) for each in sources]


def run_time_s(pid: int) -> float:
    """Seconds on a processor, of a process with one thread."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def zygotes() -> list[int]:
    """The zygotes on this machine whose parent's parent is this process."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (
                b"inside.zygote" in (process / "cmdline").read_bytes()
                and parent(parent(int(process.name))) == os.getpid()
            ):
                found.append(int(process.name))
        except OSError:
            continue
    return found


def parent(pid: int) -> int:
    """The parent of a process."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def fork_and_exit_ms() -> float:
    """The median of a fork, in a Python with nothing loaded, that exits at once."""
    return float(subprocess.run([sys.executable, "-I", "-S", "-c", _FORKS], capture_output=True, check=True).stdout)


def measure(sandbox: Accounted, zygote: int, requests: list[ExecuteRequest]) -> tuple[float, float, float]:
    """Milliseconds of zygote, child and service a program."""
    zygote_s, children_s, service_s = run_time_s(zygote), sandbox.children_s, time.process_time()
    for request in requests:
        assert examine(request, BOUNDS, sandbox).verdict is Verdict.ACCEPTED
    spent = run_time_s(zygote) - zygote_s, sandbox.children_s - children_s, time.process_time() - service_s
    zygote_ms, child_ms, service_ms = (1000 * each / len(requests) for each in spent)
    return zygote_ms, child_ms, service_ms


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--programs", type=int, default=100, help="programs a round")
    arguments = parser.parse_args()
    print(f"fork and exit of a bare Python: {fork_and_exit_ms():.2f} ms")
    first = 20_000 + secrets.randbelow(40_000)
    sandbox = Accounted(ForkServer((first, first + 1) if may_choose_users() else None))
    [zygote] = zygotes()
    print(f"isolation: {sandbox.isolation}\nmilliseconds a program       zygote   child service")
    for tests in (1, 20):
        rows: dict[str, list[tuple[float, float, float]]] = {"unseen": [], "seen": []}
        for number in range(arguments.rounds):
            requests = programs(tests, arguments.programs, mark=str(number))
            for name in rows:
                rows[name].append(measure(sandbox, zygote, requests))
        for name, measured in rows.items():
            medians = [statistics.median(column) for column in zip(*measured, strict=True)]
            print(f"{tests:>2} tests, {name:<6}          " + "".join(f"{each:8.2f}" for each in medians))
    sandbox.close()


if __name__ == "__main__":
    main()
