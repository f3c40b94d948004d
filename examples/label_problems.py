"""Label the lines of your own solutions: `linewise up` in one terminal, this in another.

`linewise label PROBLEMS.jsonl -o LABELS.jsonl` does the same without a line of Python.
"""

import asyncio
import sys
from pathlib import Path

from services.client import LabelerClient
from services.contracts import JobRequest, Problem

OWN = Problem(
    id="clamp",
    prompt="Write a function to limit a number to a range.",
    solution="def clamp(x, low, high):\n    if x < low:\n        return low\n    return min(x, high)\n",
    tests=["assert clamp(5, 0, 3) == 3", "assert clamp(-1, 0, 3) == 0", "assert clamp(2, 0, 3) == 2"],
)


async def main(problems: list[Problem]) -> None:
    async with LabelerClient() as labeler:  # LINEWISE_LABELER_URL, or http://127.0.0.1:8003
        job = await labeler.create_job(JobRequest(name="example", problems=problems))
        async for state in labeler.events(job.id):
            print(f"{state.status}: {state.problems.done} of {state.problems.total} problems", file=sys.stderr)
        async for record in labeler.labels(job.id):
            print(record.model_dump_json())


if __name__ == "__main__":
    files = [Path(argument) for argument in sys.argv[1:]]
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    asyncio.run(main([Problem.model_validate_json(line) for line in lines if line.strip()] or [OWN]))
