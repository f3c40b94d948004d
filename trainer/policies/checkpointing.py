"""Gradient checkpointing: layers computed again in the backward pass, for less memory, and without dropout.

Transformers checkpoints a layer only if it is in training mode, in which it would drop activations, too. So the layers
alone are told that they are training, and what is inside them is not.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from transformers import PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer

from trainer.errors import PolicyError


def enable_checkpointing(modules: Iterable[torch.nn.Module]) -> None:
    """Prepare the models among and below `modules` for `checkpointing`.

    Raises:
        PolicyError: an architecture does not support it.
    """
    for model in (each for module in modules for each in module.modules() if isinstance(each, PreTrainedModel)):
        try:
            model.activation_checkpointing_enable()
        except ValueError as error:
            raise PolicyError(f"{type(model).__name__} does not support gradient checkpointing") from error


@contextmanager
def checkpointing(modules: Iterable[torch.nn.Module]) -> Iterator[None]:
    """In this block the layers of prepared models keep no activations."""
    inside = (layer for module in modules for layer in module.modules())
    layers = [layer for layer in inside if isinstance(layer, GradientCheckpointingLayer)]
    for layer in layers:
        layer.training = layer.gradient_checkpointing
    try:
        yield
    finally:
        for layer in layers:
            layer.training = False
