"""The parts of a token-classification model, whatever its family calls them: layers, final norm, classifier.

A model that keeps only its lowest layers is a plain, smaller checkpoint of its family, so what is learnt on a middle
layer's hidden states can be saved and served like any other PRM. Leaves out where its features come from and training.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from trainer.errors import PolicyError, SettingsError

_FINAL_NORMS = ("norm", "ln_f")
"""What Llama's and GPT-2's families call the norm behind the last layer; RoBERTa's has none."""


def layers_of(model: Any) -> nn.ModuleList:
    """The layers of `model`, lowest first.

    Raises:
        PolicyError: it has no list of `num_hidden_layers` layers.
    """
    for module in model.base_model.modules():
        if isinstance(module, nn.ModuleList) and len(module) == model.config.num_hidden_layers:
            return module
    raise PolicyError(f"the layers of {type(model).__name__} cannot be told; use it whole and unfrozen")


def keep_layers(model: Any, count: int) -> None:
    """Drop all but the lowest `count` layers; a final norm and the classifier stay.

    Raises:
        SettingsError: it has fewer.
    """
    layers = layers_of(model)
    if not 1 <= count <= len(layers):
        raise SettingsError(f"the backbone has {len(layers)} layers; --layers must be from 1 to that")
    del layers[count:]
    model.config.num_hidden_layers = count
    if getattr(model.config, "layer_types", None):
        model.config.layer_types = model.config.layer_types[:count]


@contextmanager
def only_layers(model: Any, first: int, last: int) -> Iterator[nn.ModuleList]:
    """Within the block a pass goes through the layers from `first` to before `last` alone."""
    layers = layers_of(model)
    whole = list(layers)
    del layers[last:]
    del layers[:first]
    try:
        yield layers
    finally:
        del layers[:]
        layers.extend(whole)


@contextmanager
def entered_at(model: Any, depth: int, states: Tensor) -> Iterator[None]:
    """Within the block a pass begins behind the lowest `depth` layers, whose output is `states` `[..., width]`."""
    with only_layers(model, depth, model.config.num_hidden_layers) as layers:
        handle = layers[0].register_forward_pre_hook(
            lambda _layer, given, named: ((states, *given[1:]), named), with_kwargs=True
        )
        try:
            yield
        finally:
            handle.remove()


def final_norm(model: Any) -> nn.Module | None:
    """The norm behind the last layer, where there is one."""
    norms = (getattr(model.base_model, name, None) for name in _FINAL_NORMS)
    return next((norm for norm in norms if norm is not None), None)


def normed(model: Any, hidden: Tensor) -> Tensor:
    """Hidden states `[..., width]` behind some layer as the classifier would get them, were that layer the last."""
    norm = final_norm(model)
    return hidden if norm is None else norm(hidden)


def classifier_of(model: Any) -> nn.Linear:
    """The linear layer that gives the two logits.

    Raises:
        PolicyError: there is none of that shape.
    """
    for module in reversed(list(model.modules())):
        if isinstance(module, nn.Linear) and module.out_features == model.config.num_labels:
            return module
    raise PolicyError(f"{type(model).__name__} has no linear classifier, so it cannot be trained frozen")
