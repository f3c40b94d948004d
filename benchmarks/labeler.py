"""What labels cost, in one run: the whole of MBPP 601-974, and verified mutants a second beside mutation testers.

    python -m venv DIR && DIR/bin/pip install mutmut cosmic-ray pytest
    python benchmarks/labeler.py --peers DIR/bin

Starts what `linewise label` starts (Redis, a worker of two processes, labeler, executor) and gives it the job with its
defaults. A job lasts from its creation to its end; a mutant counts once it has an outcome. Ours runs each on the base
*and* on 32 augmented tests until one fails, and makes those tests; the peers run the three asserts. Then the peers, on
`--sample` of the same programs (they would take an hour for all), and ours again on that sample. Also prints the peak
memory of each process of the worker. Leaves out: the time to start services, PostgreSQL, several machines.
"""

import argparse
import asyncio
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from executor_service import machine
from labeler_peers import PEERS, Verified, installed

from services.cli.ports import free_ports
from services.cli.running import running
from services.cli.stack import Stack
from services.client import LabelerClient
from services.contracts import Job, JobRequest, Problem
from trainer.problems import load_problems

TARGET_S = 120.0
TARGET_RATIO = 20.0
TARGET_MEMORY_MB = 400


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
def serving(concurrency: int) -> Iterator[tuple[str, Path]]:
    """A labeler with all it needs; its URL and the folder of its data."""
    with tempfile.TemporaryDirectory(prefix="linewise-benchmark-") as folder:
        executor_port, labeler_port = free_ports(2)
        stack = Stack(Path(folder), executor_port=executor_port, labeler_port=labeler_port, concurrency=concurrency)
        with running(stack):
            yield stack.urls["labeler"], Path(folder)


async def label(url: str, folder: Path, problems: Sequence[Problem], seed: int) -> Labelled:
    """Run one job to its end."""
    async with LabelerClient(url, timeout_s=600) as client:
        job = await client.create_job(JobRequest(name="benchmark", problems=list(problems), seed=seed))
        async for changed in client.events(job.id):
            job = changed
    assert job.status == "succeeded", job.error
    assert job.finished_at is not None
    return Labelled(job, (job.finished_at - job.created_at).total_seconds(), list(_peaks(folder)))


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


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", default="mbpp:601-974")
    parser.add_argument("--workers", type=int, default=2, help="processes of the worker")
    parser.add_argument("--sample", type=int, default=20, help="so many of the problems for the peers, spread evenly")
    parser.add_argument("--peers", type=Path, help="the bin folder of an environment with mutmut and cosmic-ray")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    problems = load_problems(arguments.problems)
    sample = problems[:: max(1, len(problems) // arguments.sample)][: arguments.sample]
    print(", ".join(f"{name}: {value}" for name, value in machine().items()))
    with serving(arguments.workers) as (url, folder):
        whole = asyncio.run(label(url, folder, problems, arguments.seed))
        ours = asyncio.run(label(url, folder, sample, arguments.seed + 1))
    job, memory_mb = whole.job, max(whole.peaks) / 2**20
    print(
        f"{arguments.problems}: {job.problems.done} problems, {job.problems.rejected} rejected, {whole.seconds:.0f} s"
    )
    print(f"  mutants {job.mutants.model_dump()}, labels {job.labels.model_dump()}")
    print(f"  {whole.verified.rate:.1f} verified mutants/s")
    print(f"  peak resident memory of a worker's process: {memory_mb:.0f} MB, of {len(whole.peaks)}")
    print(f"<= {TARGET_S:.0f} s: {told(whole.seconds <= TARGET_S)}")
    print(f"<= {TARGET_MEMORY_MB} MB: {told(memory_mb <= TARGET_MEMORY_MB)}")
    print(f"sample of {len(sample)}: {ours.verified.mutants} mutants, {ours.verified.rate:.1f}/s")
    for name, run in PEERS.items():
        if arguments.peers is None or not installed(arguments.peers, name):
            print(f"  {name}: not installed, see --help")
            continue
        with tempfile.TemporaryDirectory(prefix="linewise-peer-") as place:
            peer = run(arguments.peers.absolute(), Path(place) / name, sample)
        ratio = ours.verified.rate / peer.rate
        print(f"  {name}: {peer.mutants} mutants, {peer.rate:.1f}/s; ours x {ratio:.1f}")
        print(f"  >= {TARGET_RATIO:.0f} x: {told(ratio >= TARGET_RATIO)}")


if __name__ == "__main__":
    main()
