"""What labels cost, in one run: the whole of MBPP 601-974, and verified mutants a second beside mutation testers.

    python -m venv DIR && DIR/bin/pip install mutmut cosmic-ray pytest
    python benchmarks/labeler.py --peers DIR/bin

Starts what `linewise label` starts (Redis, a worker of two processes, labeler, executor) and gives it the job with its
defaults. A job lasts from its creation to its end; a mutant counts once it has an outcome. Ours runs each on the base
*and* on 32 augmented tests until one fails, and makes those tests; the peers run the three asserts. Then the peers, on
`--sample` of the same programs (they would take an hour for all), and ours again on that sample; and the executor alone
on the mutants of that sample and their asserts, which is what the labeler could reach if all else cost nothing. Mutants
that don't end are told apart, for they decide: ours gives one a quarter of a second, mutmut 15 s, cosmic-ray 10.

Also prints the peak memory of each process of the worker, and how long after `DELETE /jobs/ID` in mid-job the last
program ran. Leaves out: the time to start services, PostgreSQL, several machines.
"""

import argparse
import asyncio
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from executor_service import machine
from labeler_peers import PEERS, Verified, installed

from services.cli.ports import free_ports
from services.cli.running import running
from services.cli.stack import Stack
from services.client import ExecutorClient, LabelerClient
from services.contracts import ExecuteRequest, Job, JobRequest, Limits, Mutant, Origin, Outcome, Problem, Verdict
from services.labeler.reference import LEAST_CPU_S
from trainer.problems import load_problems

TARGET_S = 120.0
TARGET_RATIO = 20.0
TARGET_MEMORY_MB = 400
TARGET_CANCEL_S = 2.0
_WATCHED_S = 4.0
_CHUNK, _CHUNKS_AT_ONCE = 50, 2
_AT_WORK = re.compile(r"^linewise_executor_(?:running|queued)_programs (\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Labelled:
    """A job's end, and what the worker's processes held at their peak, in bytes."""

    job: Job
    seconds: float
    peaks: list[int]

    @property
    def verified(self) -> Verified:
        """Its mutants that were run."""
        return Verified(self.job.mutants.killed + self.job.mutants.survived, self.seconds)


@contextmanager
def serving(concurrency: int) -> Iterator[tuple[str, str, Path]]:
    """A labeler with all it needs; its URL, its executor's and the folder of its data."""
    with tempfile.TemporaryDirectory(prefix="linewise-benchmark-") as folder:
        executor_port, labeler_port = free_ports(2)
        stack = Stack(Path(folder), executor_port=executor_port, labeler_port=labeler_port, concurrency=concurrency)
        with running(stack):
            yield stack.urls["labeler"], stack.urls["executor"], Path(folder)


async def label(url: str, folder: Path, problems: Sequence[Problem], seed: int) -> Labelled:
    """Run one job to its end."""
    async with LabelerClient(url, timeout_s=600) as client:
        job = await client.create_job(JobRequest(name="benchmark", problems=list(problems), seed=seed))
        async for changed in client.events(job.id):
            job = changed
    assert job.status == "succeeded", job.error
    assert job.finished_at is not None
    return Labelled(job, (job.finished_at - job.created_at).total_seconds(), list(_peaks(folder)))


async def cancel_s(labeler: str, executor: str, problems: Sequence[Problem], seed: int) -> float:
    """From `DELETE` in mid-job to the last moment at which a program of it waited or ran, in seconds."""
    async with LabelerClient(labeler) as client, httpx.AsyncClient(base_url=executor, trust_env=False) as http:

        async def at_work() -> bool:
            counts = _AT_WORK.findall((await http.get("/metrics")).text)
            return any(float(count) for count in counts)

        job = await client.create_job(JobRequest(name="cancelled", problems=list(problems), seed=seed))
        async for changed in client.events(job.id):
            if changed.problems.done > 0:
                break
        began = last = time.perf_counter()
        await client.cancel(job.id)
        while time.perf_counter() - began < _WATCHED_S:
            if await at_work():
                last = time.perf_counter()
            await asyncio.sleep(0.01)
    return last - began


async def mutants(labeler: str, job: Job) -> list[Mutant]:
    """The job's mutants that were run."""
    async with LabelerClient(labeler) as client:
        changed = [mutant async for mutant in client.mutants(job.id)]
    return [one for one in changed if one.origin is Origin.MUTATION and one.outcome is not Outcome.INCOMPETENT]


async def executor_alone(url: str, problems: Sequence[Problem], found: Sequence[Mutant]) -> Verified:
    """Nothing but these mutants, on their problems' own tests."""
    known = {problem.id: problem for problem in problems}
    programs = [
        ExecuteRequest(
            code=one.code,
            tests=known[one.problem_id].tests,
            setup=known[one.problem_id].setup,
            stop_at_first_failure=True,
            limits=Limits(cpu_s=LEAST_CPU_S),
        )
        for one in found
    ]
    gate = asyncio.Semaphore(_CHUNKS_AT_ONCE)
    async with ExecutorClient(url, timeout_s=600) as client:

        async def run(at: int) -> None:
            async with gate:
                await client.execute_batch(programs[at : at + _CHUNK])

        began = time.perf_counter()
        await asyncio.gather(*(run(at) for at in range(0, len(programs), _CHUNK)))
        return Verified(len(programs), time.perf_counter() - began)


def _peaks(folder: Path) -> Iterator[int]:
    """Peak resident memory of each process that is a Celery worker on that folder's data."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            if b"worker" in command and str(folder).encode() in (process / "environ").read_bytes():
                lines = (process / "status").read_text().splitlines()
                yield from (int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
        except OSError:
            continue


def told(met: bool) -> str:
    """In words that are seen."""
    return "met" if met else "NOT MET"


def show_whole(name: str, whole: Labelled, stopped_s: float) -> None:
    """The figures of the whole, each against its target."""
    job, memory_mb = whole.job, max(whole.peaks) / 2**20
    print(f"{name}: {job.problems.done} problems, {job.problems.rejected} rejected, {whole.seconds:.0f} s")
    print(f"  mutants {job.mutants.model_dump()}, labels {job.labels.model_dump()}")
    print(f"  {whole.verified.rate:.1f} verified mutants/s")
    print(f"  peak resident memory of a worker's process: {memory_mb:.0f} MB, of {len(whole.peaks)}")
    print(f"  from DELETE to the last program: {stopped_s:.2f} s")
    print(f"<= {TARGET_S:.0f} s: {told(whole.seconds <= TARGET_S)}")
    print(f"<= {TARGET_MEMORY_MB} MB: {told(memory_mb <= TARGET_MEMORY_MB)}")
    print(f"<= {TARGET_CANCEL_S:.0f} s to cancel: {told(stopped_s <= TARGET_CANCEL_S)}")


def show_peers(bin_folder: Path | None, sample: Sequence[Problem], rate: float, names: Sequence[str]) -> None:
    """Each peer's rate on the sample, and ours against it."""
    for name in names:
        if bin_folder is None or not installed(bin_folder, name):
            print(f"  {name}: not installed, see --help")
            continue
        with tempfile.TemporaryDirectory(prefix="linewise-peer-") as place:
            peer = PEERS[name](bin_folder.absolute(), Path(place) / name, sample)
        print(
            f"  {name}: {peer.mutants} mutants, {peer.late} too late, {peer.rate:.1f}/s; ours x {rate / peer.rate:.1f}"
        )
        print(f"  >= {TARGET_RATIO:.0f} x: {told(rate / peer.rate >= TARGET_RATIO)}", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", default="mbpp:601-974")
    parser.add_argument("--whole", action=argparse.BooleanOptionalAction, default=True, help="all problems, and cancel")
    parser.add_argument("--workers", type=int, default=2, help="processes of the worker")
    parser.add_argument("--sample", type=int, default=20, help="so many of the problems for the peers, spread evenly")
    parser.add_argument("--peers", type=Path, help="the bin folder of an environment with mutmut and cosmic-ray")
    parser.add_argument("--peer", nargs="+", choices=PEERS, default=list(PEERS), help="those that are to run")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    problems, seed = load_problems(arguments.problems), arguments.seed
    sample = problems[:: max(1, len(problems) // arguments.sample)][: arguments.sample]
    print(", ".join(f"{name}: {value}" for name, value in machine().items()))
    with serving(arguments.workers) as (url, executor, folder):
        if arguments.whole:
            whole = asyncio.run(label(url, folder, problems, seed))
            show_whole(arguments.problems, whole, asyncio.run(cancel_s(url, executor, problems, seed + 2)))
        ours = asyncio.run(label(url, folder, sample, seed + 1))
        found = asyncio.run(mutants(url, ours.job))
        alone = asyncio.run(executor_alone(executor, sample, found))
    late = sum(one.verdict is Verdict.TIME_LIMIT_EXCEEDED for one in found)
    print(f"sample of {len(sample)}: {ours.verified.mutants} mutants, {late} too late, {ours.verified.rate:.1f}/s")
    print(f"  the executor alone: {alone.rate:.1f}/s", flush=True)
    show_peers(arguments.peers, sample, ours.verified.rate, arguments.peer)


if __name__ == "__main__":
    main()
