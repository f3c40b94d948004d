"""Policies of both kinds, encoder-decoder and decoder-only, behind one protocol."""

from trainer.policies.actor_critic import (
    SHARED,
    ActorCritic,
    Measures,
    SeparateCritic,
    SharedTrunk,
    load_actor_critic,
)
from trainer.policies.loading import Kind, load_policy, new_policy
from trainer.policies.models import ModelPolicy, Precision
from trainer.policies.protocol import Policy, Responses, Span
from trainer.policies.values import ValueHead, ValueModel

__all__ = [
    "SHARED",
    "ActorCritic",
    "Kind",
    "Measures",
    "ModelPolicy",
    "Policy",
    "Precision",
    "Responses",
    "SeparateCritic",
    "SharedTrunk",
    "Span",
    "ValueHead",
    "ValueModel",
    "load_actor_critic",
    "load_policy",
    "new_policy",
]
