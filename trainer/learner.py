"""PPO's update: from trajectories to new weights of the policy and of the value model.

Each model has an optimizer of its own and its own number of epochs over the trajectories. Everything random (the order
of the minibatches) comes from the generator that is passed in.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from trainer.advantage import gae, masked_mean, masked_whiten
from trainer.loss import approx_kl, clip_fraction, explained_variance, mean_ratio, policy_loss, value_loss
from trainer.policies import ModelPolicy, ValueModel
from trainer.rollout import Stats, Trajectories


@dataclass(frozen=True, slots=True)
class UpdateSettings:
    """The update's numbers; see `PpoConfig`, whose names they bear."""

    gamma: float
    lam: float
    clip: float
    value_clip: float
    entropy_bonus: float
    policy_epochs: int
    value_epochs: int
    minibatch: int
    learning_rate: float
    value_learning_rate: float
    clip_norm: float
    temperature: float


class Learner:
    """Owns the two optimizers; `state_dict` and `load_state_dict` save and restore them."""

    def __init__(self, policy: ModelPolicy, values: ValueModel, settings: UpdateSettings) -> None:
        self._policy = policy
        self._values = values
        self._settings = settings
        self._policy_optimizer = torch.optim.AdamW(
            policy.model.parameters(), lr=settings.learning_rate, weight_decay=0.0
        )
        self._value_optimizer = torch.optim.AdamW(
            values.parameters(), lr=settings.value_learning_rate, weight_decay=0.0
        )

    def update(self, trajectories: Trajectories, generator: torch.Generator, rate_factor: float = 1.0) -> Stats:
        """Learn from one batch, at `rate_factor` times the learning rates.

        Returns statistics under TRL's names, means over the minibatches.
        """
        batch, settings = trajectories, self._settings
        _set_rate(self._policy_optimizer, rate_factor * settings.learning_rate)
        _set_rate(self._value_optimizer, rate_factor * settings.value_learning_rate)
        advantages, returns = gae(batch.rewards, batch.values, batch.mask, settings.gamma, settings.lam)
        whitened = masked_whiten(advantages, batch.mask)
        policy_stats = [
            self._learn_policy(batch.select(rows), _like(whitened, batch, rows))
            for rows in self._minibatches(len(batch), settings.policy_epochs, generator)
        ]
        value_stats = [
            self._learn_values(batch.select(rows), _like(returns, batch, rows))
            for rows in self._minibatches(len(batch), settings.value_epochs, generator)
        ]
        explained = explained_variance(batch.values, returns, batch.mask).item()
        return {**_means(policy_stats), **_means(value_stats), "critic/vf_explained_var": explained}

    def state_dict(self) -> dict[str, object]:
        """The optimizers' states."""
        return {"policy": self._policy_optimizer.state_dict(), "values": self._value_optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, dict[str, object]]) -> None:
        """Go on from a saved state."""
        self._policy_optimizer.load_state_dict(state["policy"])
        self._value_optimizer.load_state_dict(state["values"])

    def _learn_policy(self, batch: Trajectories, advantages: torch.Tensor) -> Stats:
        settings = self._settings
        logprobs, entropy = self._policy.logprobs(
            batch.prompts, batch.ids, batch.mask, temperature=settings.temperature
        )
        loss = policy_loss(logprobs, batch.logprobs, advantages, batch.mask, settings.clip)
        if settings.entropy_bonus:
            loss = loss - settings.entropy_bonus * masked_mean(entropy, batch.mask)
        norm = _descend(self._policy_optimizer, loss, settings.clip_norm)
        changed = logprobs.detach()
        return {
            "loss/policy_avg": loss.item(),
            "policy/approxkl_avg": approx_kl(changed, batch.logprobs, batch.mask).item(),
            "policy/clipfrac_avg": clip_fraction(changed, batch.logprobs, batch.mask, settings.clip).item(),
            "policy/entropy_avg": masked_mean(entropy.detach(), batch.mask).item(),
            "policy/gradient_norm": norm,
            "val/ratio": mean_ratio(changed, batch.logprobs, batch.mask).item(),
        }

    def _learn_values(self, batch: Trajectories, returns: torch.Tensor) -> Stats:
        values = self._values(batch.prompts, batch.ids, batch.mask)
        loss = value_loss(values, batch.values, returns, batch.mask, self._settings.value_clip)
        norm = _descend(self._value_optimizer, loss, self._settings.clip_norm)
        return {"loss/value_avg": loss.item(), "critic/gradient_norm": norm}

    def _minibatches(self, size: int, epochs: int, generator: torch.Generator) -> Iterator[list[int]]:
        for _ in range(epochs):
            order: list[int] = torch.randperm(size, generator=generator).tolist()
            for start in range(0, size, self._settings.minibatch):
                yield order[start : start + self._settings.minibatch]


def _like(x: torch.Tensor, batch: Trajectories, rows: list[int]) -> torch.Tensor:
    """The rows of `x`, trimmed as `batch.select(rows)` trims."""
    return x[rows, : int(batch.mask[rows].sum(dim=1).max())]


def _set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate


def _descend(optimizer: torch.optim.Optimizer, loss: torch.Tensor, clip_norm: float) -> float:
    """One step of the optimizer; returns the gradient's norm before it was clipped."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    norm = torch.nn.utils.clip_grad_norm_(weights, clip_norm)
    optimizer.step()
    return norm.item()


def _means(stats: list[Stats]) -> Stats:
    return {name: sum(each[name] for each in stats) / len(stats) for name in stats[0]} if stats else {}
