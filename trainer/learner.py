"""PPO's update: from trajectories to new weights of the policy and of its critic.

The two have a number of epochs each; in those that both have they learn from the same minibatches, and with a shared
trunk in one pass. A minibatch may go through the models in smaller parts: every loss is a mean over the minibatch's
tokens, so the parts' gradients add up to the whole's; several processes share a minibatch in the same way. Everything
random (the order of the minibatches) comes from the generator that is passed in.
"""

import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch.nn.utils import clip_grad_norm_

from trainer.advantage import centred_by_group, gae, line_credit, masked_mean, masked_whiten, scaled, step_lambdas
from trainer.loss import (
    KlEstimator,
    approx_kl,
    clip_fractions,
    explained_variance,
    kl,
    mean_ratio,
    policy_loss,
    value_clip_fraction,
    value_loss,
)
from trainer.policies import ActorCritic
from trainer.policies.checkpointing import checkpointing
from trainer.processes import Processes
from trainer.trajectories import Stats, Trajectories


@dataclass(frozen=True, slots=True)
class UpdateSettings:
    """The update's numbers; see `PpoConfig`, whose names they bear."""

    gamma: float
    lam: float
    step_lam: float | None
    group_baseline: bool
    line_credit: float
    whiten_advantages: bool
    clip: float
    clip_high: float | None
    dual_clip: float | None
    value_clip: float | None
    value_coefficient: float
    entropy_bonus: float
    kl_estimator: KlEstimator
    policy_epochs: int
    value_epochs: int
    target_kl: float | None
    minibatch: int
    micro_batch: int | None
    learning_rate: float
    value_learning_rate: float
    clip_norm: float
    temperature: float


@dataclass(frozen=True, slots=True)
class Lessons(Trajectories):
    """Trajectories with what is to be learnt from them, `[batch, response]`."""

    advantages: torch.Tensor
    returns: torch.Tensor

    def parts(self, size: int | None, processes: Processes) -> Iterator["Lessons"]:
        """The rows of this process, in parts of `size`, those of similar length together."""
        order = self.mask.sum(dim=1).argsort(stable=True)[processes.rank :: processes.count].tolist()
        step = size or len(self)
        for start in range(0, len(order), step):
            yield self.select(order[start : start + step])


class Learner:
    """Owns the optimizers; `state_dict` and `load_state_dict` save and restore them."""

    def __init__(self, models: ActorCritic, settings: UpdateSettings, processes: Processes | None = None) -> None:
        self._models = models
        self._settings = settings
        self._processes = processes or Processes()
        self._optimizers = models.optimizers(settings.learning_rate, settings.value_learning_rate)

    def update(
        self,
        trajectories: Trajectories,
        generator: torch.Generator,
        *,
        rate_factor: float = 1.0,
        kl_coefficient: float = 0.0,
        learn_policy: bool = True,
    ) -> Stats:
        """Learn from one batch, at `rate_factor` times the learning rates.

        `kl_coefficient` weighs the KL to the reference in the policy's loss. Without `learn_policy` the critic learns
        alone. Returns statistics under TRL's names, means over the minibatches.
        """
        self._set_rates(rate_factor)
        lessons = _lessons(trajectories, self._settings)
        steps: list[Stats] = []
        stopped = False
        for epoch in range(max(self._settings.policy_epochs, self._settings.value_epochs)):
            for rows in self._minibatches(len(lessons), generator):
                policy = learn_policy and not stopped and epoch < self._settings.policy_epochs
                values = epoch < self._settings.value_epochs
                if policy or values:
                    steps.append(self._step(lessons.select(rows), policy, values, kl_coefficient))
                    stopped = stopped or self._too_far(steps[-1])
        return _means(steps) | {
            "critic/vf_explained_var": explained_variance(lessons.values, lessons.returns, lessons.mask).item(),
            "policy/steps": sum("loss/policy_avg" in stats for stats in steps),
            "policy/stopped_early": float(stopped),
            "lr": rate_factor * self._settings.learning_rate,
        }

    def state_dict(self) -> dict[str, Any]:
        """The optimizers' states."""
        return {"optimizers": [optimizer.state_dict() for optimizer in self._optimizers]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        for optimizer, saved in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)

    def _step(self, minibatch: Lessons, policy: bool, values: bool, kl_coefficient: float) -> Stats:
        """One step of the optimizers, unless the policy has gone too far already."""
        shares = []
        for optimizer in self._optimizers:
            optimizer.zero_grad(set_to_none=True)
        for part in minibatch.parts(self._settings.micro_batch, self._processes):
            share = (part.mask.sum() / minibatch.mask.sum()).item()
            with checkpointing(self._models.parts()):
                loss, stats = self._loss(part, policy, values, kl_coefficient)
            (share * loss).backward()  # type: ignore[no-untyped-call]
            shares.append({name: share * value for name, value in stats.items()})
        summed = _sums([part for parts in self._processes.gather(shares) for part in parts])
        return summed if self._too_far(summed) else summed | self._descend()

    def _loss(self, part: Lessons, policy: bool, values: bool, kl_coefficient: float) -> tuple[torch.Tensor, Stats]:
        """The loss of the policy, of the critic or of both, and their statistics."""
        batch, temperature = (part.prompts, part.ids, part.mask), self._settings.temperature
        if not policy:
            return self._value_loss(self._models.values(*batch), part)
        if not values:
            return self._policy_loss(*self._models.policy.logprobs(*batch, temperature), part, kl_coefficient)
        measures = self._models.measure(*batch, temperature)
        policy_part, policy_stats = self._policy_loss(measures.logprobs, measures.entropy, part, kl_coefficient)
        value_part, value_stats = self._value_loss(measures.values, part)
        return policy_part + value_part, policy_stats | value_stats

    def _policy_loss(
        self, logprobs: torch.Tensor, entropy: torch.Tensor, part: Lessons, kl_coefficient: float
    ) -> tuple[torch.Tensor, Stats]:
        settings, mask = self._settings, part.mask
        surrogate = policy_loss(
            logprobs,
            part.logprobs,
            part.advantages,
            mask,
            settings.clip,
            clip_high=settings.clip_high,
            dual_clip=settings.dual_clip,
        )
        loss = surrogate
        if settings.entropy_bonus:
            loss = loss - settings.entropy_bonus * masked_mean(entropy, mask)
        if kl_coefficient:
            loss = loss + kl_coefficient * masked_mean(kl(logprobs, part.ref_logprobs, settings.kl_estimator), mask)
        changed = logprobs.detach()
        low, high = clip_fractions(changed, part.logprobs, part.advantages, mask, settings.clip, settings.clip_high)
        return loss, {
            "loss/policy_avg": surrogate.item(),
            "policy/approxkl_avg": approx_kl(changed, part.logprobs, mask).item(),
            "policy/clipfrac_avg": (low + high).item(),
            "policy/clipfrac_low": low.item(),
            "policy/clipfrac_high": high.item(),
            "policy/entropy_avg": masked_mean(entropy.detach(), mask).item(),
            "val/ratio": mean_ratio(changed, part.logprobs, mask).item(),
        }

    def _value_loss(self, values: torch.Tensor, part: Lessons) -> tuple[torch.Tensor, Stats]:
        clip = math.inf if self._settings.value_clip is None else self._settings.value_clip
        old = part.values, part.returns, part.mask
        loss = value_loss(values, *old, clip)
        return self._settings.value_coefficient * loss, {
            "loss/value_avg": loss.item(),
            "val/clipfrac_avg": value_clip_fraction(values.detach(), *old, clip).item(),
        }

    def _descend(self) -> Stats:
        """One step of each optimizer that has a gradient; the gradients' norms before they were clipped."""
        norms = Stats()
        for name, optimizer in zip(("policy", "critic"), self._optimizers, strict=False):
            weights = [weight for group in optimizer.param_groups for weight in group["params"]]
            self._processes.add_up_gradients(weights)
            if any(weight.grad is not None for weight in weights):
                norms[f"{name}/gradient_norm"] = clip_grad_norm_(weights, self._settings.clip_norm).item()
                optimizer.step()
        return norms

    def _too_far(self, stats: Stats) -> bool:
        target = self._settings.target_kl
        return target is not None and stats.get("policy/approxkl_avg", 0.0) > target

    def _set_rates(self, factor: float) -> None:
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = factor * group["rate"]

    def _minibatches(self, size: int, generator: torch.Generator) -> Iterator[list[int]]:
        """One epoch: every row once, in a random order."""
        order: list[int] = torch.randperm(size, generator=generator).tolist()
        for start in range(0, size, self._settings.minibatch):
            yield order[start : start + self._settings.minibatch]


def _lessons(batch: Trajectories, settings: UpdateSettings) -> Lessons:
    by_step = settings.step_lam is not None
    lam = settings.lam if settings.step_lam is None else step_lambdas(batch.steps, settings.step_lam)
    advantages, returns = gae(batch.rewards, batch.values, batch.mask, settings.gamma, lam)
    if settings.group_baseline:
        advantages = centred_by_group(advantages, batch.mask, batch.prompts, batch.steps if by_step else None)
    if settings.line_credit:
        groups = batch.prompts if settings.group_baseline else None
        credit = line_credit(batch.step_rewards, batch.mask, batch.steps, groups)
        advantages = scaled(advantages, batch.mask) + settings.line_credit * scaled(credit, batch.mask)
    if settings.whiten_advantages:
        advantages = masked_whiten(advantages, batch.mask)
    known = {field.name: getattr(batch, field.name) for field in fields(batch)}
    return Lessons(**known, advantages=advantages, returns=returns)


def _sums(parts: list[Stats]) -> Stats:
    """Each statistic's sum over the parts; all parts have the same ones."""
    return {name: sum(part[name] for part in parts) for name in parts[0]}


def _means(steps: list[Stats]) -> Stats:
    """Each statistic's mean over the steps that have it, and the variance of the ratios."""
    found = {name: [stats[name] for stats in steps if name in stats] for stats in steps for name in stats}
    means = {name: sum(values) / len(values) for name, values in found.items()}
    ratios = found.get("val/ratio", [])
    if len(ratios) > 1:
        means["val/ratio_var"] = statistics.variance(ratios)
    return means
