"""What a frozen backbone makes of labelled steps: hidden states at their ends, computed once and kept on disk.

    <cache>/<backbone>/<pack>.safetensors     one tensor `[steps, width]` for each depth that was asked for

The first folder is named by the weights, the file by the tokens of the pack, their tree and the places of its labels;
so a cache is shared by runs, an interrupted one goes on, and the values of the labels may change. Full precision: what
is trained on it is what the whole model says. Leaves out what is learnt from it (`prm_frozen`).
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from trainer.prm_layers import layers_of
from trainer.prm_model import Backbone
from trainer.prm_tree import IGNORED, Pack
from trainer.progress import track

Features = dict[int, Tensor]
"""By depth (how many layers lie below): hidden states `[steps, width]`, before any final norm."""


class FeatureCache:
    """The hidden states of a backbone, kept in `folder`; layers above those asked for may be dropped meanwhile."""

    def __init__(self, backbone: Backbone, folder: Path) -> None:
        self._backbone = backbone
        self._folder = folder / _fingerprint(backbone.model)
        self._folder.mkdir(parents=True, exist_ok=True)

    def features(self, packs: Sequence[Pack], depths: Sequence[int], name: str) -> Features:
        """The features of every labelled step of `packs`, in order; what is not yet known is computed under a bar."""
        known = [self._of(pack, depths) for pack in track(packs, f"features, {name}")]
        return {depth: torch.cat([each[depth] for each in known]) for depth in depths}

    def _of(self, pack: Pack, depths: Sequence[int]) -> Features:
        file = self._folder / f"{_content(pack)}.safetensors"
        kept = load_file(file) if file.exists() else {}
        if not {str(depth) for depth in depths} <= kept.keys():
            computed = self._compute(pack, depths)
            kept |= {str(depth): states.contiguous() for depth, states in computed.items()}
            beside = file.with_suffix(".new")
            save_file(kept, beside)
            beside.replace(file)
        return {depth: kept[str(depth)] for depth in depths}

    @torch.no_grad()
    def _compute(self, pack: Pack, depths: Sequence[int]) -> Features:
        model = self._backbone.model.eval()
        batch = self._backbone.batch([pack])
        at = (batch.labels[0] != IGNORED).nonzero()[:, 0]
        states: Features = {}
        with _listening(model, depths, lambda depth, hidden: states.update({depth: hidden[0, at].cpu()})):
            self._backbone.forward(batch)
        return states


@contextmanager
def _listening(model: Any, depths: Sequence[int], hear: Any) -> Iterator[None]:
    """Within the block `hear(depth, hidden)` is called with the output of each layer at one of `depths`."""

    def hook(depth: int) -> Any:
        return lambda _module, _given, output: hear(depth, output[0] if isinstance(output, tuple) else output)

    layers = layers_of(model)
    handles = [layers[depth - 1].register_forward_hook(hook(depth)) for depth in depths]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _fingerprint(model: Any) -> str:
    """A name for the weights that hidden states depend on, wherever they lie: the classifier is not among them."""
    config = {name: value for name, value in model.config.to_dict().items() if name != "_name_or_path"}
    digest = hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode())
    for name, weights in model.base_model.state_dict().items():
        digest.update(name.encode())
        digest.update(weights.detach().cpu().contiguous().view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]


def _content(pack: Pack) -> str:
    digest = hashlib.sha256()
    for tensor in (pack.ids, pack.depths, pack.owner, pack.related, pack.labels != IGNORED):
        digest.update(f"{tuple(tensor.shape)}".encode() + tensor.numpy().tobytes())
    return digest.hexdigest()[:24]
