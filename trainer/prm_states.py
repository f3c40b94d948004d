"""Training behind frozen layers: what the lowest layers make of every token, computed once and kept on disk.

    <cache>/<lower layers>/<pack>.safetensors     "states" `[tokens, width]`

A pass in training begins behind them, so it costs what the layers above cost; what is saved is the whole model. The
folder is named by the weights below, so runs that differ in what they train above share it. Leaves out the loop
(`prm_training`) and classifiers that need the ends of steps alone (`prm_frozen`, `prm_features`).
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from trainer.errors import PolicyError, SettingsError
from trainer.prm_layers import final_norm, layers_of, only_layers
from trainer.prm_model import Backbone, proof_pack
from trainer.prm_tree import Pack
from trainer.progress import track

_LAYERS_ALONE = ("num_hidden_layers", "layer_types", "_name_or_path")
"""What a configuration says of how many layers there are, or of where they lie."""


class LowerStates:
    """The states behind the lowest `depth` layers of a backbone, kept in `folder`."""

    def __init__(self, backbone: Backbone, depth: int, folder: Path) -> None:
        self._backbone = backbone
        self._depth = depth
        self._folder = folder / _fingerprint(backbone.model, depth)
        self._folder.mkdir(parents=True, exist_ok=True)

    def of(self, pack: Pack) -> Tensor:
        """The states `[tokens, width]` of a pack, computed where they are not yet known."""
        file = self._folder / f"{_content(pack)}.safetensors"
        if not file.exists():
            beside = file.with_suffix(".new")
            save_file({"states": self.compute(pack).cpu().contiguous()}, beside)
            beside.replace(file)
        return load_file(file)["states"]

    @torch.no_grad()
    def compute(self, pack: Pack) -> Tensor:
        """The states of a pack by a pass through the lower layers."""
        model = self._backbone.model
        training = model.training
        heard: list[Tensor] = []
        with only_layers(model.eval(), 0, self._depth) as layers:
            handle = layers[-1].register_forward_hook(lambda _layer, _given, output: heard.append(_hidden(output)))
            self._backbone.forward(self._backbone.batch([pack]))
            handle.remove()
        model.train(training)
        return heard[0][0]


def freeze_below(backbone: Backbone, depth: int, folder: Path) -> Backbone:
    """The same backbone, in which only what lies above the lowest `depth` layers learns; states are kept in `folder`.

    Raises:
        SettingsError: no layer is left to train.
        PolicyError: a pass that begins behind these layers does not give the logits of a whole one.
    """
    layers = layers_of(backbone.model)
    if not 0 < depth < len(layers):
        raise SettingsError(f"the backbone has {len(layers)} layers; --freeze-layers must leave at least one of them")
    states = LowerStates(backbone, depth, folder)
    _prove_entry(backbone, states, depth)
    backbone.model.base_model.requires_grad_(False)
    for part in (*layers[depth:], final_norm(backbone.model)):
        if part is not None:
            part.requires_grad_(True)
    return replace(backbone, frozen_layers=depth, below=states.of)


def compute_ahead(backbone: Backbone, packs: Iterable[Pack], name: str) -> None:
    """Have the states of `packs` on disk, under a bar, so that no epoch is longer than another."""
    if backbone.below is not None:
        for pack in track(packs, f"frozen layers, {name}"):
            backbone.below(pack)


@torch.no_grad()
def _prove_entry(backbone: Backbone, states: LowerStates, depth: int) -> None:
    backbone.model.eval()
    pack = proof_pack(backbone)
    whole = backbone.forward(backbone.batch([pack])).logits
    behind = replace(backbone, frozen_layers=depth, below=states.compute)
    entered = behind.forward(behind.batch([pack])).logits
    if not torch.allclose(whole, entered, atol=1e-4 * max(1.0, float(whole.abs().max()))):
        raise PolicyError(f"{type(backbone.model).__name__} cannot be entered behind its lower layers; train it whole")


def _hidden(output: Any) -> Tensor:
    hidden: Tensor = output[0] if isinstance(output, tuple) else output
    return hidden


def _fingerprint(model: Any, depth: int) -> str:
    """A name for what the states depend on: the configuration, the embedding and the layers below `depth`."""
    config = {name: value for name, value in model.config.to_dict().items() if name not in _LAYERS_ALONE}
    digest = hashlib.sha256(json.dumps([depth, config], sort_keys=True, default=str).encode())
    above = {id(weights) for layer in layers_of(model)[depth:] for weights in layer.parameters()}
    for name, weights in model.base_model.named_parameters():
        if id(weights) not in above:
            digest.update(name.encode())
            digest.update(weights.detach().cpu().contiguous().view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]


def _content(pack: Pack) -> str:
    digest = hashlib.sha256()
    for tensor in (pack.ids, pack.depths, pack.owner, pack.related):
        digest.update(f"{tuple(tensor.shape)}".encode() + tensor.numpy().tobytes())
    return digest.hexdigest()[:24]
