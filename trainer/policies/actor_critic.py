"""A policy and its critic as one thing that learns: with a model of the critic's own, or a head on the policy's trunk.

Separate: two passes, two optimizers, no interference. Shared: log-probabilities and values from one pass, so an update
costs about half; its value loss moves the trunk, too, and needs a coefficient.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch

from trainer.policies.models import ModelPolicy, token_logprobs
from trainer.policies.values import ValueHead, ValueModel

SHARED = "shared"
"""What to name instead of a value model for a head on the policy's own trunk."""


@dataclass(frozen=True, slots=True)
class Measures:
    """What one look at responses gives, `[batch, response]` each; positions where their mask is False mean nothing."""

    logprobs: torch.Tensor
    entropy: torch.Tensor
    values: torch.Tensor


class ActorCritic(Protocol):
    """What the rollout and the learner ask of a policy with its critic."""

    @property
    def policy(self) -> ModelPolicy:
        """The policy alone."""

    def measure(self, prompts: Sequence[str], ids: torch.Tensor, mask: torch.Tensor, temperature: float) -> Measures:
        """Everything, under grad if grad is on."""

    def values(self, prompts: Sequence[str], ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Values `[batch, response]` alone, whose gradient never reaches the policy."""

    def optimizers(self, policy_rate: float, value_rate: float) -> list[torch.optim.Optimizer]:
        """Fresh optimizers, for all that learns; each group bears its full rate as `rate`."""

    def parts(self) -> list[torch.nn.Module]:
        """Everything that learns."""

    def save_critic(self, folder: Path) -> None:
        """Write the critic's weights; `load_actor_critic(policy, folder)` reads them."""


@dataclass(frozen=True, slots=True)
class SeparateCritic:
    """A policy beside a value model with a backbone of its own."""

    policy: ModelPolicy
    critic: ValueModel

    def measure(self, prompts: Sequence[str], ids: torch.Tensor, mask: torch.Tensor, temperature: float) -> Measures:
        logprobs, entropy = self.policy.logprobs(prompts, ids, mask, temperature)
        return Measures(logprobs, entropy, self.values(prompts, ids, mask))

    def values(self, prompts: Sequence[str], ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        values: torch.Tensor = self.critic(prompts, ids, mask)
        return values

    def optimizers(self, policy_rate: float, value_rate: float) -> list[torch.optim.Optimizer]:
        return [_adamw((self.policy.model, policy_rate)), _adamw((self.critic, value_rate))]

    def parts(self) -> list[torch.nn.Module]:
        return [self.policy.model, self.critic]

    def save_critic(self, folder: Path) -> None:
        self.critic.save(folder)


@dataclass(frozen=True, slots=True)
class SharedTrunk:
    """A policy whose own hidden states the critic reads."""

    policy: ModelPolicy
    head: ValueHead

    def measure(self, prompts: Sequence[str], ids: torch.Tensor, mask: torch.Tensor, temperature: float) -> Measures:
        logits, states = self.policy.logits_and_states(prompts, ids, mask)
        return Measures(*token_logprobs(logits, ids, temperature), self.head(states))

    def values(self, prompts: Sequence[str], ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            _, states = self.policy.logits_and_states(prompts, ids, mask)
        values: torch.Tensor = self.head(states)
        return values

    def optimizers(self, policy_rate: float, value_rate: float) -> list[torch.optim.Optimizer]:
        return [_adamw((self.policy.model, policy_rate), (self.head, value_rate))]

    def parts(self) -> list[torch.nn.Module]:
        return [self.policy.model, self.head]

    def save_critic(self, folder: Path) -> None:
        self.head.save(folder)


def load_actor_critic(policy: ModelPolicy, value_model: str | Path) -> ActorCritic:
    """`policy` with a critic: `shared` for a new head, a folder that `save_critic` wrote, or a backbone to begin with.

    Raises:
        PolicyError: the value model cannot be loaded.
    """
    if value_model == SHARED:
        return SharedTrunk(policy, ValueHead(policy.model.config.hidden_size).to(policy.device))
    if ValueHead.is_saved_in(Path(value_model)):
        return SharedTrunk(policy, ValueHead.load(Path(value_model)).to(policy.device))
    return SeparateCritic(policy, ValueModel.load(value_model, policy))


def _adamw(*parts: tuple[torch.nn.Module, float]) -> torch.optim.Optimizer:
    groups = [{"params": list(module.parameters()), "lr": rate, "rate": rate} for module, rate in parts]
    return torch.optim.AdamW(groups, weight_decay=0.0)
