"""What one and two workers do, and what each thing done costs: the figures of docs/operate.md.

    python benchmarks/sizing.py [--workers 1 2] [--size demo|unixcoder] [--parts executor scorer labeler]

`linewise up` with N executor workers, N threads of the model and N processes of the labeler's worker, all on this
machine, which the client shares. Executor and scorer are asked by batches of 50, two under way; a labelling job uses
the executor as well. `core_ms` is the processor time of all services together for one of them, the client's left out:
what a core does when it does nothing else, and so the figure to size by. Scores are not remembered meanwhile.
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from footprint import processor_s
from load import CODE, running
from scorer_work import SIZES, make_checkpoint, make_requests

from services.client import ExecutorClient, LabelerClient, ScorerClient
from services.contracts import ExecuteRequest, JobRequest
from trainer.problems import load_problems

PARTS = ("executor", "scorer", "labeler")
SECONDS, BATCH = 8.0, 50
REQUESTS = make_requests(BATCH, seed=0)


@dataclass(frozen=True)
class Rate:
    """How many of something a second, and what one takes."""

    workers: int
    what: str
    per_s: float
    core_ms: float
    core_hours_a_million: float

    @classmethod
    def of(cls, workers: int, what: str, done: int, seconds: float, used_s: float) -> "Rate":
        per_s, core_s = done / seconds, used_s / done
        return cls(workers, what, round(per_s, 1), round(1e3 * core_s, 3), round(1e6 / 3600 * core_s, 3))


async def executor_rates(workers: int, urls: dict[str, str], root: int) -> AsyncIterator[Rate]:
    async with ExecutorClient(urls["executor"]) as client:

        async def judge(number: int) -> None:
            tests = [f"assert add({number}, {other}) == {number + other}" for other in range(3)]
            await client.execute_batch([ExecuteRequest(code=f"{CODE}# {i}\n", tests=tests) for i in range(BATCH)])

        yield Rate.of(workers, "programs judged", *await busy(judge, root))


async def scorer_rates(workers: int, urls: dict[str, str], root: int) -> AsyncIterator[Rate]:
    async with ScorerClient(urls["scorer"], timeout_s=600) as client:
        lines = sum(len(reply.steps) for reply in await client.score_batch(REQUESTS)) / BATCH

        async def score(_: int) -> None:
            await client.score_batch(REQUESTS)

        done, seconds, used_s = await busy(score, root)
        yield Rate.of(workers, "programs scored", done, seconds, used_s)
        yield Rate.of(workers, "lines scored", round(done * lines), seconds, used_s)


async def labeler_rates(workers: int, urls: dict[str, str], root: int) -> AsyncIterator[Rate]:
    async with LabelerClient(urls["labeler"], timeout_s=600) as client:
        used_s, begun = processor_s(root), time.monotonic()
        created = await client.create_job(JobRequest(name="sizing", problems=load_problems("mbpp:601-700")))
        [*_, job] = [event async for event in client.events(created.id)]
        seconds, used_s = time.monotonic() - begun, processor_s(root) - used_s
        labels = job.labels.positive + job.labels.negative
        for what, done in (("labels", labels), ("mutants", job.mutants.total), ("problems", job.problems.done)):
            yield Rate.of(workers, what, done, seconds, used_s)


async def busy(ask: Callable[[int], Awaitable[None]], root: int) -> tuple[int, float, float]:
    """Things done, wall seconds and core seconds, by two callers that never rest; `ask` does BATCH of them."""
    done, number = 0, 0

    async def caller(until: float) -> None:
        nonlocal done, number
        while time.monotonic() < until:
            number += 1
            await ask(number)
            done += BATCH

    async def callers(seconds: float) -> None:
        until = time.monotonic() + seconds
        await asyncio.gather(caller(until), caller(until))

    await callers(1.0)
    done, used_s, begun = 0, processor_s(root), time.monotonic()
    await callers(SECONDS)
    return done, time.monotonic() - begun, processor_s(root) - used_s


RATES = dict(zip(PARTS, (executor_rates, scorer_rates, labeler_rates), strict=True))


async def report(workers: int, ports: dict[str, int], root: int, parts: list[str]) -> None:
    urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    for part in parts:
        async for rate in RATES[part](workers, urls, root):
            print(json.dumps(asdict(rate)), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--size", choices=sorted(SIZES), default="demo", help="of the model")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as parent:
        model = Path(parent) / "prm"
        make_checkpoint(model, arguments.size, REQUESTS)
        for workers in arguments.workers:
            environment = {
                "LINEWISE_EXECUTOR_WORKERS": str(workers),
                "LINEWISE_SCORER_TORCH_THREADS": str(workers),
                "LINEWISE_SCORER_CACHE_ENTRIES": "0",
            }
            with running(model, environment, workers) as (ports, root):
                asyncio.run(report(workers, ports, root, arguments.parts))


if __name__ == "__main__":
    main()
