import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from services.scorer.checkpoint import CheckpointError
from services.scorer.weights import read_weights

WEIGHTS = {
    "float": torch.arange(6.0).reshape(2, 3),
    "double": torch.tensor([1.5], dtype=torch.float64),
    "half": torch.tensor([[0.5, -2.0]], dtype=torch.float16),
    "brain": torch.tensor([3.0], dtype=torch.bfloat16),
    "whole": torch.tensor([-1, 2**40]),
    "flags": torch.tensor([True, False]),
    "scalar": torch.tensor(7.0),
    "empty": torch.zeros(0, 4),
}


def test_every_tensor_is_read_as_it_was_saved(tmp_path: Path) -> None:
    save_file(WEIGHTS, tmp_path / "model.safetensors", metadata={"format": "pt"})
    weights = read_weights(tmp_path)
    assert weights.keys() == WEIGHTS.keys()
    for name, weight in weights.items():
        assert (weight.dtype, weight.shape) == (WEIGHTS[name].dtype, WEIGHTS[name].shape)
        assert torch.equal(weight, WEIGHTS[name])


def test_weights_outlive_their_file(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file(WEIGHTS, path)
    weights = read_weights(tmp_path)
    path.write_bytes(b"\0" * path.stat().st_size)
    assert torch.equal(weights["float"], WEIGHTS["float"])


def test_shards_are_found_by_their_index(tmp_path: Path) -> None:
    names = {"float": "model-00001-of-00002.safetensors", "whole": "model-00002-of-00002.safetensors"}
    for name, file in names.items():
        save_file({name: WEIGHTS[name]}, tmp_path / file)
    save_file({"other": WEIGHTS["half"]}, tmp_path / "optimizer.safetensors")
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))
    assert read_weights(tmp_path).keys() == names.keys()


def test_an_index_leads_nowhere_outside_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "prm"
    folder.mkdir()
    save_file(WEIGHTS, tmp_path / "secret.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "../secret.safetensors"}}))
    with pytest.raises(CheckpointError, match=r"secret.safetensors can't be read: .*No such file"):
        read_weights(folder)


def _file(header: object, body: bytes = b"\0" * 8) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "can't be read"),
        (b"\xff" * 16, "header is longer"),
        ((40).to_bytes(8, "little") + b"{" * 40, "can't be read"),
        (_file([1]), "can't be read"),
        (_file({"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}), "impossible"),
        (_file({"w": {"dtype": "F32", "shape": [2], "data_offsets": [-4, 4]}}), "impossible"),
        (_file({"w": {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}}), "impossible"),
        (_file({"w": {"dtype": "F32", "shape": [-2], "data_offsets": [8, 0]}}), "impossible"),
        (_file({"w": {"dtype": "Q4", "shape": [2], "data_offsets": [0, 8]}}), "Q4"),
        (_file({"w": {"dtype": "F32"}}), "can't be read"),
    ],
)
def test_a_damaged_file_is_refused_with_the_reason(content: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match=reason):
        read_weights(tmp_path)


def test_a_folder_with_neither_weights_nor_an_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="neither"):
        read_weights(tmp_path)
