"""What becomes of earned rewards before they are learnt from: normalised, clipped, less the KL penalty.

Keeps what must be known from iteration to iteration: the spread of all rewards so far, and the adaptive KL
coefficient. Both follow from the rollouts alone, so every process of a run has the same.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch

from trainer.loss import KlEstimator, kl
from trainer.rewards import penalised
from trainer.trajectories import Stats, Trajectories

Normalisation = Literal["none", "running", "batch"]
KlPlace = Literal["reward", "loss"]


@dataclass(frozen=True, slots=True)
class ShapingSettings:
    """The numbers; see `PpoConfig`, whose names they bear."""

    beta: float
    kl_in: KlPlace
    kl_estimator: KlEstimator
    kl_target: float | None
    kl_horizon: int
    reward_normalisation: Normalisation
    reward_clip: float | None


class Shaper:
    """Shapes iteration after iteration; `state_dict` and `load_state_dict` save and restore what it keeps."""

    def __init__(self, settings: ShapingSettings) -> None:
        self._settings = settings
        self._spread = RunningSpread()
        self.beta = settings.beta

    def shape(self, trajectories: Trajectories) -> tuple[Trajectories, Stats]:
        """The trajectories with rewards to learn from in place of those that were earned; then adapts `beta`."""
        batch, settings, beta = trajectories, self._settings, self.beta
        scale = self._scale(batch.rewards.sum(dim=1).tolist())
        rewards = batch.rewards / scale
        if settings.reward_clip is not None:
            rewards = rewards.clamp(-settings.reward_clip, settings.reward_clip)
        if settings.kl_in == "reward":
            rewards = penalised(rewards, batch.logprobs, batch.ref_logprobs, batch.mask, beta, settings.kl_estimator)
        divergence = torch.where(batch.mask, kl(batch.logprobs, batch.ref_logprobs), 0).sum(dim=1).mean().item()
        scores = batch.rewards.sum(dim=1).mean().item()
        self.beta = self._adapted(divergence, len(batch))
        return replace(batch, rewards=rewards), {
            "objective/kl": divergence,
            "objective/kl_coef": beta,
            "objective/non_score_reward": -beta * divergence,
            "objective/reward_scale": scale,
            "objective/rlhf_reward": scores / scale - beta * divergence,
        }

    def state_dict(self) -> dict[str, float]:
        """Everything that the next iteration needs, JSON's own types."""
        spread = self._spread
        return {"beta": self.beta, "count": spread.count, "mean": spread.mean, "squares": spread.squares}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Go on from a saved state."""
        self.beta = state["beta"]
        self._spread = RunningSpread(int(state["count"]), state["mean"], state["squares"])

    def _scale(self, totals: Sequence[float]) -> float:
        """What rewards are divided by: a standard deviation of programs' totals, 1 as long as there is none."""
        self._spread = self._spread.with_more(totals)
        spread = {
            "none": RunningSpread(),
            "running": self._spread,
            "batch": RunningSpread().with_more(totals),
        }[self._settings.reward_normalisation]
        return spread.deviation or 1.0

    def _adapted(self, divergence: float, rollouts: int) -> float:
        target, horizon = self._settings.kl_target, self._settings.kl_horizon
        return self.beta if target is None else adapted_beta(self.beta, divergence, target, rollouts / horizon)


def adapted_beta(beta: float, divergence: float, target: float, share: float) -> float:
    """The KL coefficient after an iteration that was `share` of the horizon and diverged by so many nats a program.

    beta (1 + share clip(KL / target - 1, -0.2, 0.2)): section 2.2 of Ziegler et al. 2019,
    https://arxiv.org/abs/1909.08593.
    """
    error = max(-0.2, min(0.2, divergence / target - 1))
    return beta * (1 + share * error)


@dataclass(frozen=True, slots=True)
class RunningSpread:
    """Count, mean and sum of squared distances of all numbers so far: Welford's, in Chan's form for batches."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0

    @property
    def deviation(self) -> float:
        """The unbiased standard deviation; 0 for fewer than two numbers."""
        return math.sqrt(self.squares / (self.count - 1)) if self.count > 1 else 0.0

    def with_more(self, numbers: Sequence[float]) -> "RunningSpread":
        """The spread of the numbers so far and of these."""
        count = self.count + len(numbers)
        mean = sum(numbers) / len(numbers)
        apart = mean - self.mean
        squares = sum((number - mean) ** 2 for number in numbers)
        return RunningSpread(
            count,
            self.mean + apart * len(numbers) / count,
            self.squares + squares + apart**2 * self.count * len(numbers) / count,
        )
