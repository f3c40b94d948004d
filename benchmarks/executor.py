"""What the executor does a second, on MBPP's references with their own asserts, through HTTP.

    linewise serve executor
    python benchmarks/executor.py

Prints which references are not accepted, how many tasks need a test of low assurance, programs/s in batches and the
median latency of single calls. 123 takes 8-10 s and is left out of the speed, not of the verdicts. Leaves out: peers.
"""

import argparse
import asyncio
import statistics
import time

from services.client import ExecutorClient
from services.contracts import Assurance, ExecuteReply, ExecuteRequest, Problem, Verdict
from trainer.problems import load_problems

SLOW = "Mbpp/123"


def request_for(problem: Problem) -> ExecuteRequest:
    """A problem's reference against its own tests."""
    return ExecuteRequest(code=problem.solution, tests=problem.tests, setup=problem.setup)


async def run(url: str | None, batch: int, singles: int) -> None:
    """Measure and print."""
    problems = load_problems("mbpp")
    quick = [problem for problem in problems if problem.id != SLOW]
    slow = [problem for problem in problems if problem.id == SLOW]
    async with ExecutorClient(url, timeout_s=300) as client:
        await client.execute_batch([request_for(problem) for problem in quick[:batch]])
        began = time.perf_counter()
        replies: list[ExecuteReply] = []
        for start in range(0, len(quick), batch):
            replies += await client.execute_batch([request_for(one) for one in quick[start : start + batch]])
        seconds = time.perf_counter() - began
        replies += await client.execute_batch([request_for(problem) for problem in slow])
        latencies = [await timed(client, request_for(problem)) for problem in quick[:singles]]
    verdicts = {one.id: reply.verdict for one, reply in zip([*quick, *slow], replies, strict=True)}
    low = sum(any(test.assurance is Assurance.LOW for test in reply.tests) for reply in replies)
    print(f"isolation: {replies[0].isolation}")
    print(f"accepted: {sum(verdict is Verdict.ACCEPTED for verdict in verdicts.values())} of {len(verdicts)}")
    print(
        f"not accepted: { {name: str(verdict) for name, verdict in verdicts.items() if verdict != Verdict.ACCEPTED} }"
    )
    print(f"tasks with a test of low assurance: {low}")
    print(f"in batches of {batch}: {len(quick) / seconds:.0f} programs/s")
    print(f"one at a time: {1000 * statistics.median(latencies):.1f} ms median of {singles}")


async def timed(client: ExecutorClient, request: ExecuteRequest) -> float:
    """Seconds of one `POST /execute`."""
    began = time.perf_counter()
    await client.execute(request)
    return time.perf_counter() - began


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="the executor; unset: LINEWISE_EXECUTOR_URL, else this machine")
    parser.add_argument("--batch", type=int, default=100, help="programs a batch")
    parser.add_argument("--singles", type=int, default=200, help="single calls")
    arguments = parser.parse_args()
    asyncio.run(run(arguments.url, arguments.batch, arguments.singles))
