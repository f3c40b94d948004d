"""What one and two workers do: programs, scored programs and labels a second, for docs/operate.md.

    python benchmarks/sizing.py --model DIR [--workers 1 2] [--problems mbpp:601-640]

`linewise up` with N executor workers, N threads of the model and N processes of the labeler's worker, all on this
machine, which the client shares too. Executor and scorer are asked by batches, two under way; a labelling job uses the
executor as well.
"""

import argparse
import asyncio
import json
import time

from load import CODE, running

from services.client import ExecutorClient, LabelerClient, ScorerClient
from services.contracts import ExecuteRequest, JobRequest, ScoreRequest
from trainer.problems import load_problems

SECONDS, BATCH = 5.0, 50


async def rate(ask, seconds: float) -> float:
    """Things done a second, by two callers that never rest; `ask` takes a number and does BATCH of them."""
    begun, done, number = time.monotonic(), 0, 0

    async def caller() -> None:
        nonlocal done, number
        while time.monotonic() - begun < seconds:
            number += 1
            await ask(number)
            done += BATCH

    await asyncio.gather(caller(), caller())
    return done / (time.monotonic() - begun)


async def measure(ports: dict[str, int], problems: str) -> dict[str, float]:
    urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    async with ExecutorClient(urls["executor"]) as executor, ScorerClient(urls["scorer"]) as scorer:

        async def execute(number: int) -> None:
            tests = [f"assert add({number}, {other}) == {number + other}" for other in range(3)]
            await executor.execute_batch([ExecuteRequest(code=f"{CODE}# {i}\n", tests=tests) for i in range(BATCH)])

        async def score(number: int) -> None:
            await scorer.score_batch([ScoreRequest(prompt=f"Add {number} {i}.", code=CODE * 3) for i in range(BATCH)])

        found = {}
        for name, ask in (("programs", execute), ("scored programs", score)):
            await rate(ask, 1.0)
            found[name] = round(await rate(ask, SECONDS), 1)
    async with LabelerClient(urls["labeler"], timeout_s=600) as labeler:
        begun = time.monotonic()
        created = await labeler.create_job(JobRequest(name="sizing", problems=load_problems(problems)))
        [*_, job] = [event async for event in labeler.events(created.id)]
        seconds = time.monotonic() - begun
    return found | {
        "labels": round((job.labels.positive + job.labels.negative) / seconds, 1),
        "mutants": round(job.mutants.total / seconds, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="a checkpoint folder")
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--problems", default="mbpp:601-640")
    arguments = parser.parse_args()
    for workers in arguments.workers:
        environment = {
            "LINEWISE_EXECUTOR_WORKERS": str(workers),
            "LINEWISE_SCORER_TORCH_THREADS": str(workers),
            "LINEWISE_SCORER_CACHE_ENTRIES": "0",
        }
        with running(arguments.model, environment, workers) as (ports, _):
            found = asyncio.run(measure(ports, arguments.problems))
        print(json.dumps({"workers": workers, "a second": found}))


if __name__ == "__main__":
    main()
