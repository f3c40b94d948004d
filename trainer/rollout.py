"""Rollout: the policy writes programs, the services judge them, and the two meet as trajectories.

Programs are written chunk by chunk; the judgements of a chunk are asked for as soon as it is there, so that the
services work while the next one is written and while PPO's own passes run (old log-probabilities, the reference's, the
values). A rollout without a judgement is dropped and counted.
"""

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import Self

import torch

from services.contracts import Problem
from trainer.advantage import masked_mean
from trainer.judging import PendingJudgements, Program, RewardSource
from trainer.policies import ActorCritic, Policy, Responses
from trainer.rewards import Judgement, ProgramReward, RewardForm, program_reward, token_rewards

Stats = dict[str, float]


@dataclass(frozen=True, slots=True)
class Trajectories:
    """What PPO learns from. Tensors are `[batch, response]`, on the policy's device; `mask` True = a real token.

    `rewards` are the tokens'; `logprobs`, `ref_logprobs`, `entropy` and `values` are those of the models that were
    there at the rollout.
    """

    prompts: list[str]
    ids: torch.Tensor
    mask: torch.Tensor
    logprobs: torch.Tensor
    ref_logprobs: torch.Tensor
    entropy: torch.Tensor
    values: torch.Tensor
    rewards: torch.Tensor

    def __len__(self) -> int:
        return len(self.prompts)

    def select(self, rows: Sequence[int]) -> Self:
        """Some of the trajectories, trimmed to the longest of them."""
        rows = list(rows)
        width = int(self.mask[rows].sum(dim=1).max())
        tensors = {field.name: getattr(self, field.name)[rows, :width] for field in fields(self)[1:]}
        return replace(self, prompts=[self.prompts[row] for row in rows], **tensors)


@dataclass(frozen=True, slots=True)
class RolloutSettings:
    """How programs are written and rewarded; `chunk`: programs in one pass without gradient."""

    form: RewardForm
    temperature: float
    max_new_tokens: int
    chunk: int = 64


@dataclass(frozen=True, slots=True)
class Collector:
    """Collects trajectories with a policy and its critic, the policy's frozen reference and a source of judgements."""

    agent: ActorCritic
    reference: Policy
    source: RewardSource
    settings: RolloutSettings

    @torch.no_grad()
    def collect(self, problems: Sequence[Problem], seed: int) -> tuple[Trajectories | None, Stats]:
        """One program for each of `problems`; no trajectories where none of them was judged.

        Their rewards are what the programs earned; `trainer.shaping` makes of them what is learnt.
        """
        prompts = [problem.prompt for problem in problems]
        stats = Stats()
        pending = PendingJudgements(self.source)
        with timed(stats, "rollout"):
            responses = self._write(problems, seed, pending)
        with timed(stats, "forward"):
            measured = self._measure(prompts, responses)
            spans = self.agent.policy.spans(responses)
        with timed(stats, "rewards_wait"):
            judgements = pending.wait()

        kept = [row for row, judgement in enumerate(judgements) if judgement is not None]
        stats["rewards/no_answer"] = len(judgements) - len(kept)
        stats["rewards/duplicates"] = pending.duplicates
        if not kept:
            return None, stats
        earned = [
            program_reward(
                judgement,
                self.settings.form,
                finished=responses.finished[row],
                tokens=len(spans[row]),
                seed=_seed(seed, row),
            )
            for row, judgement in enumerate(judgements)
            if judgement is not None
        ]
        stats |= _program_stats(earned, [judgements[row] for row in kept], [responses.finished[row] for row in kept])
        mask = responses.mask[kept]
        logprobs, entropy, values, ref_logprobs = measured[:, kept]
        stats["objective/entropy"] = masked_mean(entropy, mask).item()
        stats["rollout/tokens"] = mask.sum(dim=1).float().mean().item()
        rewards = token_rewards(earned, [spans[row] for row in kept], mask.shape[1]).to(mask.device)
        kept_prompts = [prompts[row] for row in kept]
        ids = responses.ids[kept]
        return Trajectories(kept_prompts, ids, mask, logprobs, ref_logprobs, entropy, values, rewards), stats

    def _write(self, problems: Sequence[Problem], seed: int, pending: PendingJudgements) -> Responses:
        """Programs for all problems, those of each chunk asked about while the next is written."""
        chunks = []
        for start in range(0, len(problems), self.settings.chunk):
            drawn = problems[start : start + self.settings.chunk]
            responses = self.agent.policy.sample(
                [problem.prompt for problem in drawn],
                max_new_tokens=self.settings.max_new_tokens,
                temperature=self.settings.temperature,
                seed=_seed(seed, start),
            )
            pending.ask([Program(*pair) for pair in zip(drawn, responses.texts, strict=True)])
            chunks.append(responses)
        return Responses.joined(chunks)

    def _measure(self, prompts: Sequence[str], responses: Responses) -> torch.Tensor:
        """`[4, batch, response]`: log-probabilities, entropy, values, the reference's log-probabilities.

        Programs of similar length go through the models together, each chunk trimmed to its longest.
        """
        lengths = responses.mask.sum(dim=1)
        measured = torch.zeros(4, *responses.ids.shape, device=responses.ids.device)
        for rows in torch.split(lengths.argsort(stable=True), self.settings.chunk):
            width = int(lengths[rows].max())
            batch = [prompts[row] for row in rows], responses.ids[rows, :width], responses.mask[rows, :width]
            own = self.agent.measure(*batch, temperature=self.settings.temperature)
            ref_logprobs, _ = self.reference.logprobs(*batch, temperature=self.settings.temperature)
            measured[:, rows, :width] = torch.stack([own.logprobs, own.entropy, own.values, ref_logprobs])
        return measured


def _program_stats(
    earned: Sequence[ProgramReward], judgements: Sequence[Judgement | None], finished: Sequence[bool]
) -> Stats:
    """Means over the judged programs; a program's score is all that it earns before the KL penalty."""
    stats = {
        "objective/scores": _mean([reward.total for reward in earned]),
        "rollout/finished": _mean(finished),
        "val/num_eos_tokens": sum(finished),
    }
    steps = [judgement.steps for judgement in judgements if judgement and judgement.steps is not None]
    verdicts = [judgement.verdict for judgement in judgements if judgement and judgement.verdict is not None]
    if steps:
        stats["rollout/code_steps"] = _mean([len(scores) for scores in steps])
        stats["rewards/step_score"] = _mean([step.score for scores in steps for step in scores] or [0.0])
    if verdicts:
        stats["rewards/accepted"] = _mean([verdict == "accepted" for verdict in verdicts])
    return stats


def _seed(seed: int, place: int) -> int:
    return random.Random(f"{seed}/{place}").getrandbits(63)


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers)


@contextmanager
def timed(stats: Stats, name: str) -> Iterator[None]:
    """Add the block's seconds to `timing_s/<name>`."""
    started = time.monotonic()
    yield
    stats[f"timing_s/{name}"] = stats.get(f"timing_s/{name}", 0.0) + time.monotonic() - started
