"""What PPO learns from: rollouts one by one, put together as trajectories, and the figures that describe them."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Self

import torch
from torch.nn.utils.rnn import pad_sequence

from trainer.advantage import masked_mean
from trainer.rewards import (
    Judgement,
    ProgramReward,
    RewardForm,
    Span,
    program_reward,
    step_numbers,
    step_rewards,
    token_rewards,
)

Stats = dict[str, float]


@dataclass(frozen=True, slots=True)
class Rollout:
    """One program and all that was found out about it.

    `ids` `[response]` and `measures` `[4, response]` (log-probabilities, entropy, values, the reference's
    log-probabilities) of its real tokens; `seed` decides what is random in its reward.
    """

    prompt: str
    ids: torch.Tensor
    measures: torch.Tensor
    spans: list[Span]
    finished: bool
    judgement: Judgement | None
    seed: int


@dataclass(frozen=True, slots=True)
class Trajectories:
    """Tensors are `[batch, response]`, on the policy's device; `mask` True = a real token.

    `rewards` are the tokens', `steps` the numbers of the steps that they belong to, `step_rewards` what those
    earn by the process form (NaN where there is none), whether it is rewarded or not; `logprobs`, `entropy`, `values`
    and `ref_logprobs` are those of the models that were there at the rollout.
    """

    prompts: list[str]
    ids: torch.Tensor
    mask: torch.Tensor
    logprobs: torch.Tensor
    entropy: torch.Tensor
    values: torch.Tensor
    ref_logprobs: torch.Tensor
    rewards: torch.Tensor
    steps: torch.Tensor
    step_rewards: torch.Tensor

    def __len__(self) -> int:
        return len(self.prompts)

    def select(self, rows: Sequence[int]) -> Self:
        """Some of the trajectories, trimmed to the longest of them."""
        rows = list(rows)
        width = int(self.mask[rows].sum(dim=1).max())
        tensors = {field.name: getattr(self, field.name)[rows, :width] for field in fields(self)[1:]}
        return replace(self, prompts=[self.prompts[row] for row in rows], **tensors)


def assembled(
    rollouts: Sequence[Rollout], form: RewardForm, device: torch.device, stats: Stats
) -> tuple[Trajectories | None, Stats]:
    """The rollouts that were judged, with the rewards that they earned, and `stats` with figures of them.

    No trajectories where nothing was judged.
    """
    judged = [(rollout, rollout.judgement) for rollout in rollouts if rollout.judgement is not None]
    stats = {**stats, "rewards/no_answer": len(rollouts) - len(judged)}
    if not judged:
        return None, stats
    earned = [
        program_reward(judgement, form, finished=rollout.finished, tokens=len(rollout.ids), seed=rollout.seed)
        for rollout, judgement in judged
    ]
    kept = [rollout for rollout, _ in judged]
    ids = pad_sequence([rollout.ids for rollout in kept], batch_first=True).to(device)
    steps = [torch.tensor(step_numbers(judgement, rollout.spans)) for rollout, judgement in judged]
    by_step = [
        torch.tensor(step_rewards(judgement, rollout.spans, form, rollout.seed)) for rollout, judgement in judged
    ]
    measures = pad_sequence([rollout.measures.T for rollout in kept], batch_first=True).to(device)
    lengths = torch.tensor([len(rollout.ids) for rollout in kept], device=device)
    logprobs, entropy, values, ref_logprobs = measures.unbind(dim=-1)
    batch = Trajectories(
        prompts=[rollout.prompt for rollout in kept],
        ids=ids,
        mask=torch.arange(ids.shape[1], device=device) < lengths[:, None],
        logprobs=logprobs,
        entropy=entropy,
        values=values,
        ref_logprobs=ref_logprobs,
        rewards=token_rewards(earned, [rollout.spans for rollout in kept], ids.shape[1]).to(device),
        steps=pad_sequence(steps, batch_first=True).to(device),
        step_rewards=pad_sequence(by_step, batch_first=True, padding_value=torch.nan).to(device),
    )
    return batch, stats | _token_stats(batch) | _program_stats(earned, judged)


def _token_stats(batch: Trajectories) -> Stats:
    return {
        "objective/entropy": masked_mean(batch.entropy, batch.mask).item(),
        "rollout/tokens": batch.mask.sum(dim=1).float().mean().item(),
    }


def _program_stats(earned: Sequence[ProgramReward], judged: Sequence[tuple[Rollout, Judgement]]) -> Stats:
    """Means over the judged programs; a program's score is all that it earns before the KL penalty."""
    finished = [rollout.finished for rollout, _ in judged]
    stats = {
        "objective/scores": _mean([reward.total for reward in earned]),
        "rollout/finished": _mean(finished),
        "val/num_eos_tokens": sum(finished),
    }
    steps = [judgement.steps for _, judgement in judged if judgement.steps is not None]
    verdicts = [judgement.verdict for _, judgement in judged if judgement.verdict is not None]
    if steps:
        stats["rollout/code_steps"] = _mean([len(scores) for scores in steps])
        stats["rewards/step_score"] = _mean([step.score for scores in steps for step in scores] or [0.0])
    if verdicts:
        stats["rewards/accepted"] = _mean([verdict == "accepted" for verdict in verdicts])
    return stats


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers)
