"""From scores and verdicts to token rewards: pure functions, no I/O and no model.

    r_t = sum_i R(d, w_<=i) 1[t = T_i] - beta log(pi(a_t|s_t) / pi_ref(a_t|s_t))

T_i is the token that holds the last character of step i (PRLCoder, https://arxiv.org/abs/2502.01715). Only `code` steps
earn a process reward: comments and blanks earn nothing, and a program without a code step has a process reward of 0.
That 0 is the program's own; a judgement that *we* failed to give is None, and its rollout is dropped before it comes
here. A program that the policy did not end is judged as it stands; `missing_eos_penalty` is taken off its last token.

Which kinds and forms there are, and what each was named against, stands in `trainer.reward_forms`.
"""

import math
import random
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from trainer.loss import KlEstimator, kl
from trainer.reward_forms import (
    Judgement,
    OutcomeForm,
    ProcessForm,
    RewardKind,
    StepScore,
    last_score,
    outcome_reward,
    process_rewards,
)

__all__ = [
    "Judgement",
    "OutcomeForm",
    "ProcessForm",
    "ProgramReward",
    "RewardForm",
    "RewardKind",
    "Span",
    "StepScore",
    "outcome_reward",
    "penalised",
    "process_rewards",
    "program_reward",
    "step_numbers",
    "step_rewards",
    "token_at",
    "token_rewards",
]

Span = tuple[int, int]
"""The characters that a token completes, `text[start:end]`; a row's spans are neighbours, from 0 to the text's end."""


@dataclass(frozen=True, slots=True)
class RewardForm:
    """How a judgement becomes rewards.

    `kind` says what counts, `process` and `outcome` how. `outcome_weight` in [0, 1] is the outcome's share of
    `process+outcome` and `gated`. `clip_at` is the threshold of the process form `clip`. `shuffled` is a control: a
    program earns the same, at its steps in a random order. `missing_eos_penalty` is taken off a program that the policy
    did not end, `length_penalty` for each token behind the first `free_tokens`, both at the last token.
    """

    kind: RewardKind = "process"
    process: ProcessForm = "mean"
    outcome_weight: float = 0.5
    missing_eos_penalty: float = 0.0
    outcome: OutcomeForm = "binary"
    clip_at: float = 0.5
    shuffled: bool = False
    length_penalty: float = 0.0
    free_tokens: int = 0

    @property
    def weights(self) -> tuple[float, float]:
        """The weights of process and outcome."""
        if self.kind == "settled":
            return 1.0, 1.0
        outcome = {"process": 0.0, "outcome": 1.0, "orm": 1.0}.get(self.kind, self.outcome_weight)
        return 1 - outcome, outcome

    def penalty(self, tokens: int, finished: bool) -> float:
        """What a program of so many tokens pays for its length and for having no end; 0 or more."""
        unfinished = 0.0 if finished else self.missing_eos_penalty
        return unfinished + self.length_penalty * max(0, tokens - self.free_tokens)


@dataclass(frozen=True, slots=True)
class ProgramReward:
    """A program's rewards: `steps[i]` is earned where step i ends, `last` at the last token."""

    steps: tuple[StepScore, ...] = ()
    last: float = 0.0

    @property
    def total(self) -> float:
        """Everything that the program earns, before the KL penalty."""
        return sum(step.score for step in self.steps) + self.last


def program_reward(
    judgement: Judgement, form: RewardForm, *, finished: bool = True, tokens: int = 0, seed: int = 0
) -> ProgramReward:
    """The rewards of one program of so many tokens; `finished`: the policy ended it by itself; `seed`: of `shuffled`.

    Raises:
        ValueError: the judgement lacks what the form asks for.
    """
    process_weight, outcome_weight = form.weights
    last = -form.penalty(tokens, finished)
    if outcome_weight:
        last += outcome_weight * (
            last_score(judgement) if form.kind == "orm" else outcome_reward(judgement, form.outcome)
        )
    if form.kind == "gated":
        process_weight *= outcome_reward(judgement)
    steps = process_rewards(judgement, form.process, form.clip_at) if process_weight else ()
    if form.kind == "settled":
        last -= sum(step.score for step in steps)
    if form.shuffled:
        steps = _shuffled(steps, seed)
    return ProgramReward(tuple(StepScore(step.end, process_weight * step.score) for step in steps), last)


def _shuffled(steps: tuple[StepScore, ...], seed: int) -> tuple[StepScore, ...]:
    """The same rewards, dealt out among the steps anew."""
    dealt = random.Random(seed).sample(steps, len(steps))
    return tuple(StepScore(step.end, other.score) for step, other in zip(steps, dealt, strict=True))


def token_at(spans: Sequence[Span], end: int) -> int:
    """T_i: the index of the token that holds the character before `end`, which counts from 1 up."""
    return bisect_left(spans, end, key=lambda span: span[1])


def step_numbers(judgement: Judgement, spans: Sequence[Span]) -> list[int]:
    """For each token the number, from 0, of the code step that it belongs to; those behind the last make one more.

    A comment or blank line belongs to the step behind it. Without scores a program is a single step.
    """
    ends = [token_at(spans, step.end) for step in judgement.steps or ()]
    return [bisect_left(ends, place) for place in range(len(spans))]


def step_rewards(judgement: Judgement, spans: Sequence[Span], form: RewardForm, seed: int = 0) -> list[float]:
    """For each token what its step earns, by the process form and numbered as `step_numbers` has it.

    NaN behind the last step, and without scores. `seed`: of `shuffled`, which deals them out as `program_reward` does.
    """
    steps = process_rewards(judgement, form.process, form.clip_at) if judgement.steps else ()
    dealt = _shuffled(steps, seed) if form.shuffled else steps
    earned = [*(step.score for step in dealt), math.nan]
    return [earned[number] for number in step_numbers(judgement, spans)]


def token_rewards(programs: Sequence[ProgramReward], spans: Sequence[Sequence[Span]], width: int) -> torch.Tensor:
    """Every program's rewards on its tokens, `[batch, width]`; `spans[row]` has one span for each real token.

    The last token is the end of the sequence, where the policy wrote one. Rewards that meet on one token add up.
    """
    placed = torch.zeros(len(programs), width)
    for row, (program, row_spans) in enumerate(zip(programs, spans, strict=True)):
        for step in program.steps:
            placed[row, token_at(row_spans, step.end)] += step.score
        placed[row, len(row_spans) - 1] += program.last
    return placed


def penalised(
    rewards: torch.Tensor,
    logprobs: torch.Tensor,
    ref_logprobs: torch.Tensor,
    mask: torch.Tensor,
    beta: float,
    estimator: KlEstimator = "k1",
) -> torch.Tensor:
    """Token rewards less `beta` times the KL to the reference, `[batch, response]`, 0 where `mask` is False."""
    return torch.where(mask, rewards - beta * kl(logprobs, ref_logprobs, estimator), 0)
