"""From scores and verdicts to token rewards: pure functions, no I/O and no model.

    r_t = sum_i R(d, w_<=i) 1[t = T_i] - beta log(pi(a_t|s_t) / pi_ref(a_t|s_t))

T_i is the token that holds the last character of step i (PRLCoder, https://arxiv.org/abs/2502.01715). Only `code` steps
earn a process reward: comments and blanks earn nothing, and a program without a code step has a process reward of 0.
That 0 is the program's own; a judgement that *we* failed to give is None, and its rollout is dropped before it comes
here. A program that the policy did not end is judged as it stands; `missing_eos_penalty` is taken off its last token.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from services.contracts import Verdict
from trainer.loss import kl

RewardKind = Literal["process", "outcome", "process+outcome"]
ProcessForm = Literal["sum", "mean", "softmin"]
Span = tuple[int, int]
"""The characters that a token completes, `text[start:end]`; a row's spans are neighbours, from 0 to the text's end."""

_SOFTMIN_TEMPERATURE = 0.1


@dataclass(frozen=True, slots=True)
class StepScore:
    """A code step's score, in [0, 1] as the PRM gives it; `end` is the offset behind the step's last character."""

    end: int
    score: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the services say of one program: scores of its code steps, its verdict, or both (None = not asked for)."""

    steps: tuple[StepScore, ...] | None = None
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class RewardForm:
    """How a judgement becomes rewards.

    `process`: `sum` gives each code step its score; `mean` divides by the number of code steps, so that more lines
    earn no more; `softmin` weights them so that they add up to about the smallest, which no further line can raise.
    `outcome_weight` in [0, 1] is the outcome's share of `process+outcome`.
    """

    kind: RewardKind = "process"
    process: ProcessForm = "mean"
    outcome_weight: float = 0.5
    missing_eos_penalty: float = 0.0

    @property
    def weights(self) -> tuple[float, float]:
        """The weights of process and outcome."""
        outcome = {"process": 0.0, "outcome": 1.0, "process+outcome": self.outcome_weight}[self.kind]
        return 1 - outcome, outcome


@dataclass(frozen=True, slots=True)
class ProgramReward:
    """A program's rewards: `steps[i]` is earned where step i ends, `last` at the last token."""

    steps: tuple[StepScore, ...] = ()
    last: float = 0.0

    @property
    def total(self) -> float:
        """Everything that the program earns, before the KL penalty."""
        return sum(step.score for step in self.steps) + self.last


def program_reward(judgement: Judgement, form: RewardForm, *, finished: bool = True) -> ProgramReward:
    """The rewards of one program; `finished`: the policy ended it by itself.

    Raises:
        ValueError: the judgement lacks what the form asks for.
    """
    process_weight, outcome_weight = form.weights
    last = 0.0 if finished else -form.missing_eos_penalty
    if outcome_weight:
        last += outcome_weight * outcome_reward(judgement)
    steps = process_rewards(judgement, form.process) if process_weight else ()
    return ProgramReward(tuple(StepScore(step.end, process_weight * step.score) for step in steps), last)


def process_rewards(judgement: Judgement, form: ProcessForm) -> tuple[StepScore, ...]:
    """The reward of each code step; none for a program without one.

    `softmin` is PURE's min-form credit, r_i softmax(-r / T)_i with T = 0.1: https://arxiv.org/abs/2504.15275.
    """
    if judgement.steps is None:
        raise ValueError("a process reward needs scores")
    scores = torch.tensor([step.score for step in judgement.steps], dtype=torch.float64)
    weights = {
        "sum": torch.ones_like(scores),
        "mean": torch.full_like(scores, 1 / max(1, len(scores))),
        "softmin": torch.softmax(-scores / _SOFTMIN_TEMPERATURE, dim=0),
    }[form]
    rewards = (weights * scores).tolist()
    return tuple(StepScore(step.end, reward) for step, reward in zip(judgement.steps, rewards, strict=True))


def outcome_reward(judgement: Judgement) -> float:
    """1 for an accepted program, else 0. A failure of ours has no reward, so `internal_error` raises ValueError."""
    if judgement.verdict in (None, Verdict.INTERNAL_ERROR):
        raise ValueError(f"there is no outcome in the verdict {judgement.verdict}")
    return float(judgement.verdict is Verdict.ACCEPTED)


def token_at(spans: Sequence[Span], end: int) -> int:
    """T_i: the index of the token that holds the character before `end`, which counts from 1 up."""
    return bisect_left(spans, end, key=lambda span: span[1])


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
    rewards: torch.Tensor, logprobs: torch.Tensor, ref_logprobs: torch.Tensor, mask: torch.Tensor, beta: float
) -> torch.Tensor:
    """Token rewards less `beta` times the log-ratio to the reference, `[batch, response]`, 0 where `mask` is False."""
    return torch.where(mask, rewards - beta * kl(logprobs, ref_logprobs, "k1"), 0)
