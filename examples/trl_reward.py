"""A reward function as TRL's trainers take them: `GRPOTrainer(..., reward_funcs=[process_reward])`.

Needs `linewise up --model DIR`. Run as a script it rewards two programs for one prompt, without TRL.
https://huggingface.co/docs/trl/grpo_trainer#using-a-custom-reward-function
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from services.client import NoAnswerError, ScorerClient
from services.contracts import ScoreReply, ScoreRequest


def process_reward(prompts: Sequence[Any], completions: Sequence[Any], **_: Any) -> list[float | None]:
    """The mean score of each program's lines; None, which TRL leaves out, where the scorer gave no answer."""
    programs = [
        ScoreRequest(prompt=text_of(prompt), code=text_of(completion), truncate="prompt")
        for prompt, completion in zip(prompts, completions, strict=True)
    ]
    try:
        replies = asyncio.run(score(programs))
    except NoAnswerError:
        return [None] * len(programs)
    return [reply.aggregate.mean for reply in replies]


async def score(programs: list[ScoreRequest]) -> list[ScoreReply]:
    async with ScorerClient() as scorer:
        return await scorer.score_batch(programs)


def text_of(value: Any) -> str:
    """TRL passes plain strings, or lists of chat messages."""
    return value if isinstance(value, str) else value[-1]["content"]


if __name__ == "__main__":
    programs = ["def add(a, b):\n    return a + b\n", "def add(a, b):\n    return a - b\n"]
    rewards = process_reward(["Write a function to add two numbers."] * 2, programs)
    for reward, program in zip(rewards, programs, strict=True):
        print(reward, repr(program))
