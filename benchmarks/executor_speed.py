"""The rounds of the executor's benchmark: ours and each peer in turn, in every round, on the same tasks."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from executor_tasks import Shared

from services.client import ExecutorClient
from services.contracts import ExecuteReply, ExecuteRequest, Verdict

OURS = "linewise"
CLIENTS = 8
BATCHES_AT_ONCE = 2
CORES = len(os.sched_getaffinity(0))
WAYS = {"alone": 1, "in batches": CORES, f"{CLIENTS} clients": CLIENTS}
"""How programs are asked for, with how many a peer then checks at once."""


@dataclass(frozen=True)
class Measure:
    """One contender, one way, one round; latencies in seconds, empty where programs were not timed one by one."""

    way: str
    contender: str
    programs: int
    passed: int
    seconds: float
    latencies_s: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Programs a second; those that did not pass, as all of them should, count for nothing."""
        return self.passed / self.seconds


class Peer:
    """A peer's process; see `executor_peers.serve` for what is said to it."""

    def __init__(self, name: str, process: subprocess.Popen[str]) -> None:
        self.name = name
        self._process = process
        introduction = self._answer()
        self.missing: str | None = introduction["missing"]
        self.version: str | None = introduction["version"]

    def run(self, way: str, tasks: Sequence[Shared]) -> Measure:
        """Check the tasks, as many at once as that way allows."""
        assert self._process.stdin is not None
        order = {"tasks": [one.task for one in tasks], "workers": WAYS[way]}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return Measure(way=way, contender=self.name, programs=len(tasks), **self._answer())

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"the peer {self.name} ended with {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def peer(name: str, path: Path | None) -> Iterator[Peer]:
    """A peer in a process of its own, with `path` before the installed packages."""
    paths = [*([str(path)] if path else []), *filter(None, [os.environ.get("PYTHONPATH")])]
    command = [sys.executable, str(Path(__file__).with_name("executor_peers.py")), name]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            yield Peer(name, process)
        finally:
            process.terminate()


Run = tuple[float, list[ExecuteReply], list[float]]


class Ours:
    """The executor behind its URL, asked through the client of this project."""

    def __init__(self, url: str, batch: int) -> None:
        self._url = url
        self._batch = batch

    async def run(self, way: str, requests: Sequence[ExecuteRequest]) -> Measure:
        """Run the programs in that way, once; connections stand before the clock starts."""
        if way == "in batches":
            seconds, replies, latencies = await self._in_batches(requests)
        else:
            seconds, replies, latencies = await self._one_by_one(requests, clients=1 if way == "alone" else CLIENTS)
        passed = sum(reply.verdict is Verdict.ACCEPTED for reply in replies)
        return Measure(way, OURS, len(requests), passed, seconds, latencies)

    async def batches(self, requests: Sequence[ExecuteRequest]) -> list[ExecuteReply]:
        """The replies, asked for in batches."""
        return (await self._in_batches(requests))[1]

    async def _in_batches(self, requests: Sequence[ExecuteRequest]) -> Run:
        """Some batches under way at a time, as the trainer and the callables of `services.client` ask."""
        batches = [requests[start : start + self._batch] for start in range(0, len(requests), self._batch)]
        turns = asyncio.Semaphore(BATCHES_AT_ONCE)
        async with self._client() as client:

            async def ask(batch: Sequence[ExecuteRequest]) -> list[ExecuteReply]:
                async with turns:
                    return await client.execute_batch(batch)

            await client.ready()
            began = time.perf_counter()
            answers = await asyncio.gather(*map(ask, batches))
            return time.perf_counter() - began, [reply for answer in answers for reply in answer], []

    async def _one_by_one(self, requests: Sequence[ExecuteRequest], clients: int) -> Run:
        """Each client, on a connection of its own, posts a program after another until none is left."""
        replies: list[ExecuteReply] = []
        latencies: list[float] = []
        left = iter(requests)

        async def post(client: ExecutorClient) -> None:
            for request in left:
                began = time.perf_counter()
                replies.append(await client.execute(request))
                latencies.append(time.perf_counter() - began)

        async with AsyncExitStack() as stack:
            opened = [await stack.enter_async_context(self._client()) for _ in range(clients)]
            await asyncio.gather(*(client.ready() for client in opened))
            began = time.perf_counter()
            await asyncio.gather(*map(post, opened))
            return time.perf_counter() - began, replies, latencies

    def _client(self) -> ExecutorClient:
        return ExecutorClient(self._url, timeout_s=300)
