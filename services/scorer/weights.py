"""Reads a checkpoint's safetensors into memory, one tensor after the other.

Transformers would map the file, and a mapped file that a trainer overwrites in place kills the process (ADR 0022), or
read the whole of it beside the model. Here a tensor's bytes go from the file to where the model keeps them. The format:
https://huggingface.co/docs/safetensors. Leaves out every other kind of weights.
"""

import json
import math
from collections.abc import Iterable
from io import BufferedReader
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from services.scorer.checkpoint import CheckpointError

_SINGLE, _INDEX = "model.safetensors", "model.safetensors.index.json"
_LARGEST_HEADER = 100_000_000
_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Every tensor of `model.safetensors`, or of the shards that `model.safetensors.index.json` names.

    Raises:
        CheckpointError: there are no such files, or one is damaged or cut short.
    """
    weights: dict[str, Tensor] = {}
    for path in _files(folder):
        try:
            with path.open("rb") as file:
                weights.update(_read(file, path.stat().st_size))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
            raise CheckpointError(f"{path.name} can't be read: {error}") from error
    return weights


def _files(folder: Path) -> Iterable[Path]:
    if (folder / _SINGLE).is_file():
        return [folder / _SINGLE]
    try:
        shards = set(json.loads((folder / _INDEX).read_text(encoding="utf-8"))["weight_map"].values())
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise CheckpointError(f"it has neither {_SINGLE} nor a readable {_INDEX}") from error
    return [folder / Path(name).name for name in sorted(shards)]


def _read(file: BufferedReader, size: int) -> dict[str, Tensor]:
    length = int.from_bytes(file.read(8), "little")
    if length > min(size, _LARGEST_HEADER):
        raise ValueError("its header is longer than the file")
    header: dict[str, Any] = json.loads(file.read(length))
    header.pop("__metadata__", None)
    return {name: _read_tensor(file, 8 + length, size, entry) for name, entry in header.items()}


def _read_tensor(file: BufferedReader, start: int, size: int, entry: dict[str, Any]) -> Tensor:
    dtype, (begin, end) = _DTYPES[entry["dtype"]], entry["data_offsets"]
    count = math.prod(entry["shape"])
    if count * dtype.itemsize != end - begin or not 0 <= begin <= end <= size - start:
        raise ValueError("a tensor's place in it is impossible")
    tensor = torch.empty(count, dtype=dtype)
    buffer: Any = tensor.view(torch.uint8).numpy()
    file.seek(start + begin)
    if file.readinto(buffer) != end - begin:
        raise ValueError("it ends too early")
    return tensor.reshape(entry["shape"])
