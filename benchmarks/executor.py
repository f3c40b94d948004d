"""What the executor does a second, through HTTP, against the checkers that others use, in one run.

    LINEWISE_ALLOW_WEAK_ISOLATION=1 python benchmarks/executor.py       # the variable only where walls are missing
    pip install --no-deps --target /tmp/peer evalplus && python benchmarks/executor.py --evalplus-path /tmp/peer
    python benchmarks/executor.py --parts endurance --endurance 100000

Starts the service itself unless `--url` is given. Parts: `verdicts` (which of MBPP's references are not accepted, how
many tasks need a test of low assurance), `speed` (alone, in batches, with 8 clients, beside the peers of
`executor_peers.py`; all MBPP; programs of 20 tests), `memory` (the idle service), `endurance` (memory over many
programs). Every round runs each contender in turn, and a ratio is made within a round: machine and noise are shared.
The service keeps what it has worked out of a test's source. So beside peers every test is one that it has not met; the
rates on MBPP and of 20 tests are given with unseen tests and with seen ones, as where a task is sampled many times.
Prints one page and whether each target is met. Peers check in a process of their own, with no HTTP between.
"""

import argparse
import asyncio
import dataclasses
import json
import time
from contextlib import ExitStack, nullcontext
from pathlib import Path

from executor_page import Findings, page
from executor_peers import PEERS
from executor_service import machine, resident, served
from executor_speed import WAYS, Measure, Ours, Peer, peer
from executor_tasks import NUMPY, SLOW, Shared, programs_of_twenty, request_for, sample, shared_by_all, unseen

from services.client import ExecutorClient
from services.contracts import Assurance, ExecuteRequest, Verdict
from trainer.problems import load_problems
from trainer.progress import Bar, progress_bar

PARTS = ("verdicts", "speed", "memory", "endurance")
SETTLE_S = 1.0
TWENTIES = 200
"""Programs of 20 tests; their 4,000 tests fit in the service's cache (`splitter.split_assert`), as MBPP's do."""


def find_out(options: argparse.Namespace) -> Findings:
    """Run the parts that are asked for."""
    before = machine()
    with ExitStack() as stack:
        service = nullcontext((options.url, options.pid)) if options.url else served()
        url, pid = stack.enter_context(service)
        found = Findings(before, asyncio.run(isolation(url)), options=_said(options))
        ours = Ours(url, options.batch)
        if "memory" in options.parts:
            measure_idle(found, ours, pid)
        if "verdicts" in options.parts:
            judge_references(found, ours)
        if "speed" in options.parts:
            measure_speed(found, ours, options)
        if "endurance" in options.parts:
            endure(found, ours, pid, options.endurance, options.endurance_from)
        if "memory" in options.parts and pid:
            time.sleep(SETTLE_S)
            found.afterwards = resident(pid)
    return found


def _said(options: argparse.Namespace) -> dict[str, object]:
    names = ("seed", "rounds", "programs", "alone", "repeats", "mbpp", "batch", "endurance")
    return {name: value for name in names if (value := getattr(options, name)) is not None}


async def isolation(url: str) -> str:
    """The layers in force, as `/readyz` names them."""
    async with ExecutorClient(url) as client:
        return str((await client.ready()).details.get("isolation"))


def measure_idle(found: Findings, ours: Ours, pid: int | None) -> None:
    """The service's memory once each flavour has run a program."""
    plain = programs_of_twenty(1, seed=0)
    replies = asyncio.run(ours.batches([*plain, NUMPY]))
    found.numpy_verdict = str(replies[-1].verdict)
    time.sleep(SETTLE_S)
    found.idle = resident(pid) if pid else None


def judge_references(found: Findings, ours: Ours) -> None:
    """MBPP's references with their own asserts, the slow one by itself."""
    problems = sorted(load_problems("mbpp"), key=lambda problem: problem.id == SLOW)
    requests = [request_for(problem) for problem in problems]
    replies = asyncio.run(ours.batches(requests[:-1])) + asyncio.run(ours.batches(requests[-1:]))
    verdicts = {problem.id: reply.verdict for problem, reply in zip(problems, replies, strict=True)}
    found.tasks = len(verdicts)
    found.not_accepted = {name: str(verdict) for name, verdict in verdicts.items() if verdict != Verdict.ACCEPTED}
    found.low_assurance = sum(any(test.assurance is Assurance.LOW for test in reply.tests) for reply in replies)


def measure_speed(found: Findings, ours: Ours, options: argparse.Namespace) -> None:
    """All rounds: the sample in each way by each contender, then all of MBPP, then programs of 20 tests."""
    problems = load_problems("mbpp")
    quick = [request_for(problem) for problem in problems if problem.id != SLOW][: options.mbpp]
    tasks = sample(shared_by_all(problems), options.programs, options.seed)
    twenty = programs_of_twenty(TWENTIES, options.seed)
    with ExitStack() as stack:
        peers = [stack.enter_context(peer(name, _path(name, options))) for name in options.peers]
        found.peers = {one.name: str(one.missing or one.version) for one in peers}
        peers = [one for one in peers if not one.missing]
        steps = options.rounds * (len(WAYS) * (1 + len(peers)) + 2)
        asyncio.run(ours.batches([one.request for one in tasks]))
        bar = stack.enter_context(progress_bar("measuring", steps))
        for _ in range(options.rounds):
            found.rounds.append(_round(ours, peers, tasks, options.alone, options.repeats, bar))
            _note_rates(found.mbpp_rates, ours, quick, tests_each=1, repeats=1)
            bar.advance(note="all MBPP")
            _note_rates(found.test_rates, ours, twenty, tests_each=20, repeats=options.repeats)
            bar.advance(note="20 tests a program")


def _note_rates(
    rates: dict[str, list[float]], ours: Ours, requests: list[ExecuteRequest], tests_each: int, repeats: int
) -> None:
    """Run programs whose tests the service has not met, then the same once more, `repeats` times; the rate of all."""
    runs: dict[str, list[Measure]] = {"unseen": [], "seen": []}
    for _ in range(repeats):
        new = unseen(requests, str(time.time_ns()))
        for measures in runs.values():
            measures.append(asyncio.run(ours.run("in batches", new)))
    for tests, measures in runs.items():
        passed, seconds = sum(run.passed for run in measures), sum(run.seconds for run in measures)
        rates.setdefault(tests, []).append(tests_each * passed / seconds)


def _path(name: str, options: argparse.Namespace) -> Path | None:
    path: Path | None = options.evalplus_path if name == "evalplus" else None
    return path


def _round(ours: Ours, peers: list[Peer], tasks: list[Shared], alone: int, repeats: int, bar: Bar) -> list[Measure]:
    """Each way by each contender; ours runs what a peer runs `repeats` times, each time with unseen tests."""
    measures = []
    for way in WAYS:
        chosen = tasks[:alone] if way == "alone" else tasks
        marks = [f"{way} {time.time_ns()} {number}" for number in range(repeats)]
        requests = [request for mark in marks for request in unseen((one.request for one in chosen), mark)]
        measures.append(asyncio.run(ours.run(way, requests)))
        bar.advance(note=f"{way}: ours")
        for one in peers:
            measures.append(one.run(way, chosen))
            bar.advance(note=f"{way}: {one.name}")
    return measures


def endure(found: Findings, ours: Ours, pid: int | None, programs: int, done: int) -> None:
    """Memory after each tenth of so many programs; the count begins at `done`, for a service that has run as many."""
    if not pid:
        return
    tasks = [one.request for one in shared_by_all(load_problems("mbpp"))]
    ends = [done + (programs - done) * tenth // 10 for tenth in range(1, 11)]
    with progress_bar("endurance", programs) as bar:
        bar.move_to(done)
        for end in ends:
            while done < end:
                chosen = [tasks[index % len(tasks)] for index in range(done, min(end, done + len(tasks)))]
                asyncio.run(ours.batches(chosen))
                done += len(chosen)
                bar.move_to(done)
            found.endurance.append((done, resident(pid)))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="what to measure; default: all")
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=list(PEERS), help="default: all")
    parser.add_argument("--url", help="an executor that runs already; unset: one of our own")
    parser.add_argument("--pid", type=int, help="the process of the executor at --url, for its memory")
    parser.add_argument("--evalplus-path", type=Path, help="a folder with evalplus, as `pip install --target` makes")
    parser.add_argument("--rounds", type=int, default=3, help="default: 3")
    parser.add_argument("--programs", type=int, default=200, help="the sample that all contenders run; default: 200")
    parser.add_argument("--alone", type=int, default=50, help="of the sample, run one at a time; default: 50")
    parser.add_argument(
        "--repeats",
        type=int,
        default=4,
        help="times that ours runs what a peer runs once, and the programs of 20 tests; default: 4",
    )
    parser.add_argument("--mbpp", type=int, help="the first so many tasks for the rate on MBPP; default: all")
    parser.add_argument("--batch", type=int, default=50, help="programs a batch, two of which are under way")
    parser.add_argument("--seed", type=int, default=0, help="of the sample and the programs of 20 tests")
    parser.add_argument("--endurance", type=int, default=2000, help="programs of that part; the target: 100000")
    parser.add_argument("--endurance-from", type=int, default=0, help="go on from so many, with --url and --pid")
    parser.add_argument("--json", type=Path, help="write all that was measured to this file")
    return parser.parse_args()


if __name__ == "__main__":
    chosen = _options()
    findings = find_out(chosen)
    if chosen.json:
        chosen.json.write_text(json.dumps(dataclasses.asdict(findings), indent=1) + "\n")
    print(page(findings))
