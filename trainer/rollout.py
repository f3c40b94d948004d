"""Rollout: the policy writes programs, the services judge them, and the two meet as trajectories.

The judgements are asked for as soon as the programs are there; the passes that PPO needs anyway (old log-probabilities,
the reference's, the values) run meanwhile. A rollout without a judgement is dropped and counted.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace

import torch

from services.contracts import Problem
from trainer.advantage import masked_mean
from trainer.judging import Program, RewardSource, ask_once
from trainer.loss import kl
from trainer.policies import Policy, Responses, ValueModel
from trainer.rewards import Judgement, ProgramReward, RewardForm, penalised, program_reward, token_rewards

Stats = dict[str, float]


@dataclass(frozen=True, slots=True)
class Trajectories:
    """What PPO learns from. Tensors are `[batch, response]`, on the policy's device; `mask` True = a real token.

    `rewards` are the tokens', the KL penalty taken off; `logprobs` and `values` are those of the policy and the value
    model that were there at the rollout.
    """

    prompts: list[str]
    ids: torch.Tensor
    mask: torch.Tensor
    logprobs: torch.Tensor
    values: torch.Tensor
    rewards: torch.Tensor

    def __len__(self) -> int:
        return len(self.prompts)

    def select(self, rows: Sequence[int]) -> "Trajectories":
        """Some of the trajectories, trimmed to the longest of them."""
        rows = list(rows)
        width = int(self.mask[rows].sum(dim=1).max())
        tensors = {field.name: getattr(self, field.name)[rows, :width] for field in fields(self)[1:]}
        return replace(self, prompts=[self.prompts[row] for row in rows], **tensors)


@dataclass(frozen=True, slots=True)
class RolloutSettings:
    """How programs are written and rewarded; `chunk`: programs in one pass without gradient."""

    form: RewardForm
    beta: float
    temperature: float
    max_new_tokens: int
    chunk: int = 32


@dataclass(frozen=True, slots=True)
class Collector:
    """Collects trajectories with a policy, its frozen reference, a value model and a source of judgements."""

    policy: Policy
    reference: Policy
    values: ValueModel
    source: RewardSource
    settings: RolloutSettings

    @torch.no_grad()
    def collect(self, problems: Sequence[Problem], seed: int) -> tuple[Trajectories | None, Stats]:
        """One program for each of `problems`; no trajectories where none of them was judged."""
        prompts = [problem.prompt for problem in problems]
        stats = Stats()
        with timed(stats, "rollout"):
            responses = self.policy.sample(
                prompts,
                max_new_tokens=self.settings.max_new_tokens,
                temperature=self.settings.temperature,
                seed=seed,
            )
        pending = ask_once(self.source, [Program(*pair) for pair in zip(problems, responses.texts, strict=True)])
        with timed(stats, "forward"):
            measured = self._measure(prompts, responses)
            spans = self.policy.spans(responses)
        with timed(stats, "rewards_wait"):
            judgements = pending.wait()

        kept = [row for row, judgement in enumerate(judgements) if judgement is not None]
        stats["rewards/no_answer"] = len(judgements) - len(kept)
        stats["rewards/duplicates"] = pending.duplicates
        if not kept:
            return None, stats
        earned = [
            program_reward(judgement, self.settings.form, finished=responses.finished[row])
            for row, judgement in enumerate(judgements)
            if judgement is not None
        ]
        stats |= _program_stats(earned, [judgements[row] for row in kept], [responses.finished[row] for row in kept])
        stats |= _token_stats(measured[:, kept], responses.mask[kept])
        stats["objective/rlhf_reward"] = stats["objective/scores"] - self.settings.beta * stats["objective/kl"]
        scores = token_rewards(earned, [spans[row] for row in kept], responses.ids.shape[1])
        return self._trajectories(prompts, responses, measured, scores, kept), stats

    def _measure(self, prompts: Sequence[str], responses: Responses) -> torch.Tensor:
        """`[4, batch, response]`: log-probabilities, entropy, the reference's log-probabilities, values.

        Programs of similar length go through the models together, each chunk trimmed to its longest.
        """
        lengths = responses.mask.sum(dim=1)
        measured = torch.zeros(4, *responses.ids.shape, device=responses.ids.device)
        for rows in torch.split(lengths.argsort(stable=True), self.settings.chunk):
            width = int(lengths[rows].max())
            batch = [prompts[row] for row in rows], responses.ids[rows, :width], responses.mask[rows, :width]
            logprobs, entropy = self.policy.logprobs(*batch, temperature=self.settings.temperature)
            ref_logprobs, _ = self.reference.logprobs(*batch, temperature=self.settings.temperature)
            measured[:, rows, :width] = torch.stack([logprobs, entropy, ref_logprobs, self.values(*batch)])
        return measured

    def _trajectories(
        self,
        prompts: Sequence[str],
        responses: Responses,
        measured: torch.Tensor,
        scores: torch.Tensor,
        kept: list[int],
    ) -> Trajectories:
        """The rollouts that were judged, their token `scores` less the KL penalty."""
        mask = responses.mask[kept]
        logprobs, _, ref_logprobs, values = measured[:, kept]
        return Trajectories(
            prompts=[prompts[row] for row in kept],
            ids=responses.ids[kept],
            mask=mask,
            logprobs=logprobs,
            values=values,
            rewards=penalised(scores.to(mask.device), logprobs, ref_logprobs, mask, self.settings.beta),
        )


def _token_stats(measured: torch.Tensor, mask: torch.Tensor) -> Stats:
    """`objective/kl` is summed over a program's tokens (nats), `objective/entropy` is the mean of all real tokens."""
    logprobs, entropy, ref_logprobs, _ = measured
    return {
        "objective/kl": torch.where(mask, kl(logprobs, ref_logprobs), 0).sum(dim=1).mean().item(),
        "objective/entropy": masked_mean(entropy, mask).item(),
        "rollout/tokens": mask.sum(dim=1).float().mean().item(),
    }


def _program_stats(
    earned: Sequence[ProgramReward], judgements: Sequence[Judgement | None], finished: Sequence[bool]
) -> Stats:
    """Means over the judged programs; a program's score is all that it earns before the KL penalty."""
    stats = {
        "objective/scores": _mean([reward.total for reward in earned]),
        "rollout/finished": _mean(finished),
    }
    steps = [judgement.steps for judgement in judgements if judgement and judgement.steps is not None]
    verdicts = [judgement.verdict for judgement in judgements if judgement and judgement.verdict is not None]
    if steps:
        stats["rollout/code_steps"] = _mean([len(scores) for scores in steps])
        stats["rewards/step_score"] = _mean([step.score for scores in steps for step in scores] or [0.0])
    if verdicts:
        stats["rewards/accepted"] = _mean([verdict == "accepted" for verdict in verdicts])
    return stats


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers)


@contextmanager
def timed(stats: Stats, name: str) -> Iterator[None]:
    """Add the block's seconds to `timing_s/<name>`."""
    started = time.monotonic()
    yield
    stats[f"timing_s/{name}"] = stats.get(f"timing_s/{name}", 0.0) + time.monotonic() - started
