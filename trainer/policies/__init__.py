"""Policies of both kinds, encoder-decoder and decoder-only, behind one protocol."""

from trainer.policies.loading import Kind, load_policy, new_policy
from trainer.policies.models import ModelPolicy
from trainer.policies.protocol import Policy, Responses, Span
from trainer.policies.values import ValueModel

__all__ = ["Kind", "ModelPolicy", "Policy", "Responses", "Span", "ValueModel", "load_policy", "new_policy"]
