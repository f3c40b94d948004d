import json
from pathlib import Path
from typing import Any

import pytest

from services.contracts import Calibration
from services.contracts.prm_checkpoint import Conventions
from services.scorer.checkpoint import CheckpointError, read_conventions


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The least that passes for a checkpoint, before weights are read."""
    for name in ("model.safetensors", "tokenizer.json"):
        (tmp_path / name).touch()
    write_config(tmp_path, {})
    return tmp_path


def write_config(folder: Path, config: Any) -> None:
    (folder / "config.json").write_text(json.dumps(config))


def test_a_checkpoint_that_says_nothing_gets_the_defaults(folder: Path) -> None:
    assert read_conventions(folder) == Conventions(temperature=1.0, input_prefix=None)


def test_the_linewise_section_is_read_and_unknown_fields_are_let_be(folder: Path) -> None:
    write_config(folder, {"linewise": {"temperature": 1.5, "input_prefix": ["<s>"], "ece": 0.03}})
    assert read_conventions(folder) == Conventions(temperature=1.5, input_prefix=("<s>",))


def test_the_calibration_is_read_as_far_as_the_folder_has_it(folder: Path) -> None:
    figures = {"date": "2026-01-31T12:00:00Z", "labels": 812, "accuracy": 0.91, "ece": 0.02}
    write_config(folder, {"linewise": {"calibration": figures}})
    assert read_conventions(folder).calibration == Calibration.model_validate(figures)
    write_config(folder, {"linewise": {"calibration": {"ece": 0.02}}})
    assert read_conventions(folder).calibration == Calibration(ece=0.02)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ([], "not a JSON object"),
        ({"linewise": {"temperature": 0}}, "linewise.temperature"),
        ({"linewise": {"temperature": "hot"}}, "linewise.temperature"),
        ({"linewise": {"input_prefix": "<s>"}}, "linewise.input_prefix"),
        ({"linewise": {"calibration": {"date": "yesterday"}}}, "linewise.calibration.date"),
        ({"linewise": {"calibration": {"accuracy": 91}}}, "linewise.calibration.accuracy"),
        ({"linewise": 3}, "linewise"),
    ],
)
def test_a_wrong_section_is_refused_by_its_path(config: Any, reason: str, folder: Path) -> None:
    write_config(folder, config)
    with pytest.raises(CheckpointError, match=reason):
        read_conventions(folder)


@pytest.mark.parametrize(
    ("missing", "reason"),
    [("config.json", "can't be read as JSON"), ("model.safetensors", "pickled"), ("tokenizer.json", "no tokenizer")],
)
def test_a_missing_part_is_named(missing: str, reason: str, folder: Path) -> None:
    (folder / missing).unlink()
    with pytest.raises(CheckpointError, match=reason):
        read_conventions(folder)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no checkpoint folder"):
        read_conventions(tmp_path / "nowhere")
