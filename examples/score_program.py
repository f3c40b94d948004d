"""Score every line of a program: `linewise up --model DIR` in one terminal, this in another."""

import asyncio

from services.client import ScorerClient
from services.contracts import ScoreRequest

PROMPT = "Write a function to add two numbers."
CODE = "def add(a, b):\n    total = a - b\n    return total\n"


async def main() -> None:
    async with ScorerClient() as scorer:  # LINEWISE_SCORER_URL, or http://127.0.0.1:8001
        reply = await scorer.score(ScoreRequest(prompt=PROMPT, code=CODE))
    for step in reply.steps:
        print(f"{step.score:.2f}  {CODE[step.start : step.end]}")
    print(f"mean {reply.aggregate.mean:.2f}, smallest {reply.aggregate.min:.2f}")


if __name__ == "__main__":
    asyncio.run(main())
