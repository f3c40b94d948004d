"""A run's folder: whole files, honest metrics."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from trainer.runs import Run, read_metrics, replacing


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True)
class Config:
    run_dir: Path
    colour: Colour = Colour.RED
    seeds: tuple[int, ...] = (1, 2)


def test_config_is_written_as_plain_json_beside_the_versions(tmp_path: Path) -> None:
    with Run(tmp_path / "run") as run:
        run.write_config(Config(tmp_path))
    config = json.loads((tmp_path / "run/config.json").read_text())
    assert config == {"run_dir": str(tmp_path), "colour": "red", "seeds": [1, 2]}
    assert json.loads((tmp_path / "run/environment.json").read_text())["packages"]["torch"]


def test_metrics_reach_jsonl_and_tensorboard(tmp_path: Path) -> None:
    with Run(tmp_path) as run:
        run.log(0, {"loss": 0.5})
        run.log(1, {"loss": float("nan"), "objective/kl": float("inf")})
    assert read_metrics(tmp_path) == [
        {"iteration": 0, "loss": 0.5},
        {"iteration": 1, "loss": None, "objective/kl": None},
    ]
    assert any((tmp_path / "tensorboard").iterdir())


def test_a_resumed_run_appends_and_rewinding_drops_what_will_be_written_again(tmp_path: Path) -> None:
    with Run(tmp_path) as run:
        for iteration in range(4):
            run.log(iteration, {"loss": 1.0})
    with Run(tmp_path) as run:
        run.rewind(1)
        run.log(2, {"loss": 2.0})
    assert [(line["iteration"], line["loss"]) for line in read_metrics(tmp_path)] == [(0, 1.0), (1, 1.0), (2, 2.0)]


def test_a_checkpoint_that_fails_halfway_leaves_the_one_before(tmp_path: Path) -> None:
    with Run(tmp_path) as run:
        place = run.checkpoint("final")
    with replacing(place) as folder:
        (folder / "weights").write_text("old")
    with pytest.raises(KeyboardInterrupt), replacing(place) as folder:
        (folder / "weights").write_text("half")
        raise KeyboardInterrupt
    assert (place / "weights").read_text() == "old"
    assert [path.name for path in place.parent.iterdir()] == ["final"]


def test_a_new_checkpoint_takes_the_place_of_the_old_one_entirely(tmp_path: Path) -> None:
    place = tmp_path / "final"
    for name in ("first", "second"):
        with replacing(place) as folder:
            (folder / name).touch()
    assert [path.name for path in place.iterdir()] == ["second"]


def test_a_checkpoint_can_be_read_by_whoever_may_enter_its_folder(tmp_path: Path) -> None:
    for mode in (0o755, 0o700):
        with replacing(tmp_path / "final") as folder:
            folder.chmod(mode)
            (folder / "model.safetensors").touch(mode=0o600)
        assert (tmp_path / "final" / "model.safetensors").stat().st_mode & 0o777 == mode & 0o666


def test_a_full_disk_leaves_the_checkpoint_before_and_with_room_it_is_saved(
    small_disk: Path, fill: Callable[[Path], Path]
) -> None:
    place = small_disk / "checkpoints" / "last"
    small, large = ({"weight": torch.full((size,), 1.0)} for size in (1_000, 500_000))

    def save(tensors: dict[str, torch.Tensor]) -> None:
        with replacing(place) as folder:
            save_file(tensors, folder / "model.safetensors")

    save(small)
    filler = fill(small_disk)
    with pytest.raises((OSError, SafetensorError)):
        save(large)
    filler.unlink()
    assert load_file(place / "model.safetensors")["weight"].shape == (1_000,)
    assert [path.name for path in place.parent.iterdir()] == ["last"]
    save(large)
    assert load_file(place / "model.safetensors")["weight"].shape == (500_000,)
