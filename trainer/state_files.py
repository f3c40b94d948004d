"""A training's state on disk: tensors as safetensors, all else as JSON, nothing that runs when it is read.

    state.safetensors   "0", "1", ...: the tensors, in the order in which they are met
    state.json          the rest; {"tensor": "3"} stands for one, {"map": [[key, value], ...]} for a dictionary

Dictionaries keep their keys' types, which JSON's own would turn into text, and tuples become lists.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from trainer.runs import write_text

_TENSORS, _REST = "state.safetensors", "state.json"


def save_state(folder: Path, state: Mapping[str, Any]) -> None:
    """Write `state` into `folder`: dictionaries, lists, tensors and plain values in any order of nesting."""
    tensors: dict[str, torch.Tensor] = {}
    rest = _pack(state, tensors)
    save_file(tensors, folder / _TENSORS)
    write_text(folder / _REST, json.dumps(rest) + "\n")


def has_state(folder: Path) -> bool:
    """Whether `save_state` has been here."""
    return (folder / _REST).is_file()


def load_state(folder: Path, device: str | torch.device) -> dict[str, Any]:
    """What `save_state` left in `folder`, its tensors on `device`."""
    tensors = load_file(folder / _TENSORS, device=str(device))
    state: dict[str, Any] = _unpack(json.loads((folder / _REST).read_text(encoding="utf-8")), tensors)
    return state


def _pack(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    match value:
        case torch.Tensor():
            name = str(len(tensors))
            tensors[name] = value.detach().contiguous().clone()  # tied weights share memory, which the format refuses
            return {"tensor": name}
        case Mapping():
            return {"map": [[key, _pack(item, tensors)] for key, item in value.items()]}
        case list() | tuple():
            return [_pack(item, tensors) for item in value]
        case _:
            return value


def _unpack(value: Any, tensors: Mapping[str, torch.Tensor]) -> Any:
    match value:
        case {"tensor": name}:
            return tensors[name]
        case {"map": pairs}:
            return {key: _unpack(item, tensors) for key, item in pairs}
        case list():
            return [_unpack(item, tensors) for item in value]
        case _:
            return value
