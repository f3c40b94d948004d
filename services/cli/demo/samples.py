"""Programs by the policy before and after PPO, with their verdicts and the live scorer's score of every line."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from services.client import ExecutorClient, ScorerClient
from services.contracts import ExecuteRequest, Problem, ScoreReply, ScoreRequest


def sampled(
    problems: Sequence[Problem], policies: dict[str, Path], *, scorer_url: str, executor_url: str, max_new_tokens: int
) -> list[dict[str, Any]]:
    """For each problem its prompt and, for each of `policies` (name to folder), the program it finds likeliest."""
    programs = {name: _written(problems, folder, max_new_tokens) for name, folder in policies.items()}
    judged = {name: asyncio.run(_judged(problems, codes, scorer_url, executor_url)) for name, codes in programs.items()}
    return [
        {"problem_id": problem.id, "prompt": problem.prompt, **{name: judged[name][index] for name in policies}}
        for index, problem in enumerate(problems)
    ]


def _written(problems: Sequence[Problem], folder: Path, max_new_tokens: int) -> list[str]:
    from trainer.policies import load_policy

    policy = load_policy(folder)
    prompts = [problem.prompt for problem in problems]
    return policy.sample(prompts, max_new_tokens=max_new_tokens, temperature=0.0).texts


async def _judged(
    problems: Sequence[Problem], codes: Sequence[str], scorer_url: str, executor_url: str
) -> list[dict[str, Any]]:
    pairs = list(zip(problems, codes, strict=True))
    async with ScorerClient(scorer_url) as scorer, ExecutorClient(executor_url) as executor:
        scores, verdicts = await asyncio.gather(
            scorer.score_batch([ScoreRequest(prompt=problem.prompt, code=code) for problem, code in pairs]),
            executor.execute_batch(
                [ExecuteRequest(code=code, tests=problem.tests, setup=problem.setup) for problem, code in pairs]
            ),
        )
    return [
        {"code": code, "verdict": verdict.verdict, "steps": _steps(code, score), "mean": score.aggregate.mean}
        for code, verdict, score in zip(codes, verdicts, scores, strict=True)
    ]


def _steps(code: str, reply: ScoreReply) -> list[dict[str, Any]]:
    return [{"text": code[step.start : step.end], "score": step.score} for step in reply.steps]
