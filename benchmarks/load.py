"""Each service at twice what it can do, for a minute: what it answers, how long that takes, what memory it takes.

    python benchmarks/load.py executor|scorer|labeler [--seconds 60]

The service runs as `linewise up` starts it, on loopback, with a PRM of the demo's size; queues are short, so that being
too much comes soon. Its capacity is measured first (32 connections that ask again as soon as they are answered, 5 s);
then requests are sent at twice that rate, whatever comes back, over at most 512 connections; what none was free for is
`held_back`. Asserted: nothing but 200, 429 and 503; p99 of the accepted below 10 s; memory of the whole flat; answers
as before within 5 s. Client, service and its children share the machine's cores, so the capacity is that of them
together; `clients_cores` is what the client takes of them.
"""

import argparse
import asyncio
import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from footprint import resident_bytes
from scorer_work import make_checkpoint, make_requests

from services.cli.ports import free_ports

ALLOWED = {200, 429, 503}
CODE = "def add(a, b):\n    total = a + b\n    return total\n"
JOB = {"name": "again", "idempotency_key": "again", "problems": [
    {"id": str(number), "prompt": "Add.", "solution": CODE, "tests": ["assert add(1, 2) == 3"]} for number in range(4)
]}  # fmt: skip
ASKED = {
    "executor": ("/execute", lambda number: {"code": f"{CODE}# {number}\n", "tests": ["assert add(1, 2) == 3"]}),
    "scorer": ("/score", lambda number: {"prompt": f"Add two numbers. {number}", "code": CODE}),
    "labeler": ("/jobs", lambda _: JOB),
}
SHORT_QUEUES = {
    "LINEWISE_EXECUTOR_QUEUE_SIZE": "128",
    "LINEWISE_SCORER_MAX_QUEUE": "128",
    "LINEWISE_LABELER_MAX_WAITING": "128",
}
CONNECTIONS, CLOSED = 512, 32


@dataclass
class Tally:
    """What came back."""

    statuses: Counter[int] = field(default_factory=Counter)
    accepted_s: list[float] = field(default_factory=list)
    held_back: int = 0

    def p(self, share: float) -> float:
        return sorted(self.accepted_s)[int(share * (len(self.accepted_s) - 1))] if self.accepted_s else float("nan")


class Connection:
    """One connection, kept alive; as little Python a request as will do."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, path: str, body: dict[str, object]) -> int:
        """The status of the reply; 0 where the connection broke."""
        try:
            if self._writer is None:
                self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
            content = json.dumps(body).encode()
            head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            self._writer.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
            reply = await self._reader.readuntil(b"\r\n\r\n")
            lines = reply.lower().split(b"\r\n")
            length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
            await self._reader.readexactly(length)
            return int(reply[9:12])
        except (OSError, asyncio.IncompleteReadError):
            self._writer = None
            return 0


async def closed_loop(port: int, service: str, seconds: float, numbers: Iterator[int]) -> float:
    """Requests answered with 200 a second, by CLOSED connections that never rest."""
    path, body = ASKED[service]
    tally, until = Tally(), time.monotonic() + seconds

    async def keep_asking() -> None:
        connection = Connection(port)
        while time.monotonic() < until:
            tally.statuses[await connection.ask(path, body(next(numbers)))] += 1

    await asyncio.gather(*(keep_asking() for _ in range(CLOSED)))
    return tally.statuses[200] / seconds


async def open_loop(port: int, service: str, rate: float, seconds: float, numbers: Iterator[int]) -> Tally:
    """`rate` requests a second, whatever comes back."""
    path, body = ASKED[service]
    tally, free, begun = Tally(), [Connection(port) for _ in range(CONNECTIONS)], time.monotonic()
    under_way: set[asyncio.Task[None]] = set()

    async def ask(connection: Connection) -> None:
        started = time.monotonic()
        status = await connection.ask(path, body(next(numbers)))
        tally.statuses[status] += 1
        if status == 200:
            tally.accepted_s.append(time.monotonic() - started)
        free.append(connection)

    sent = 0
    while (passed := time.monotonic() - begun) < seconds:
        while sent < int(passed * rate):
            sent += 1
            if not free:
                tally.held_back += 1
                continue
            under_way.add(task := asyncio.create_task(ask(free.pop())))
            task.add_done_callback(under_way.discard)
        await asyncio.sleep(0.005)
    await asyncio.gather(*under_way)
    return tally


async def recovery(port: int, service: str, numbers: Iterator[int]) -> float:
    """Seconds until ten requests one after another are answered with 200."""
    path, body = ASKED[service]
    connection, begun, good = Connection(port), time.monotonic(), 0
    while good < 10:
        good = good + 1 if await connection.ask(path, body(next(numbers))) == 200 else 0
    return time.monotonic() - begun


async def sampled_memory(root: int, into: list[int]) -> None:
    while True:
        into.append(await asyncio.to_thread(resident_bytes, root))
        await asyncio.sleep(2)


@contextmanager
def running(model: Path, environment: dict[str, str], workers: int = 1) -> Iterator[tuple[dict[str, int], int]]:
    """`linewise up`, ready; yields the services' ports and the supervisor's process id."""
    ports = dict(zip(ASKED, free_ports(3), strict=True))
    with tempfile.TemporaryDirectory(prefix="lw-") as folder:
        command = [sys.executable, "-P", "-m", "services.cli", "up", "--model", str(model)]
        command += ["--concurrency", str(workers)]
        command += [part for name, port in ports.items() for part in (f"--{name}-port", str(port))]
        environment = os.environ | environment | {"LINEWISE_DATA_DIR": folder, "LINEWISE_LOG_LEVEL": "WARNING"}
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            assert "Linewise is up" in process.stdout.readline()
            yield ports, process.pid
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()


async def measure(service: str, port: int, root: int, seconds: float) -> dict[str, object]:
    numbers = itertools.count()  # no request is asked twice: the scorer remembers
    await closed_loop(port, service, 2, numbers)
    capacity = await closed_loop(port, service, 5, numbers)
    memory: list[int] = []
    sampling = asyncio.create_task(sampled_memory(root, memory))
    used_s = time.process_time()
    tally = await open_loop(port, service, 2 * capacity, seconds, numbers)
    used_s = time.process_time() - used_s
    sampling.cancel()
    recovered_s = await recovery(port, service, numbers)
    third = max(1, len(memory) // 3)
    return {
        "service": service,
        "capacity_per_s": round(capacity, 1),
        "offered_per_s": round((tally.statuses.total() + tally.held_back) / seconds, 1),
        "statuses": dict(sorted(tally.statuses.items())),
        "held_back": tally.held_back,
        "accepted_per_s": round(tally.statuses[200] / seconds, 1),
        "accepted_s": {f"p{100 * share:g}": round(tally.p(share), 3) for share in (0.5, 0.99)},
        "clients_cores": round(used_s / seconds, 2),
        "resident_mb": {"first third": max(memory[:third]) >> 20, "last third": max(memory[-third:]) >> 20},
        "recovered_s": round(recovered_s, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("service", choices=sorted(ASKED))
    parser.add_argument("--seconds", type=float, default=60)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as parent:
        make_checkpoint(model := Path(parent) / "prm", "demo", make_requests(50, seed=0))
        with running(model, SHORT_QUEUES) as (ports, root):
            found = asyncio.run(measure(arguments.service, ports[arguments.service], root, arguments.seconds))
    print(json.dumps(found, indent=2))
    assert set(found["statuses"]) <= ALLOWED, found["statuses"]
    assert found["accepted_s"]["p99"] < 10
    assert found["resident_mb"]["last third"] <= 1.1 * found["resident_mb"]["first third"] + 32
    assert found["recovered_s"] <= 5


if __name__ == "__main__":
    main()
