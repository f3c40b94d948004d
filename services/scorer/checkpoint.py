"""What a checkpoint folder says of itself, read before any weight is.

A PRM is a plain Hugging Face token-classification folder: `config.json`, `*.safetensors`, a tokenizer. Its
`config.json` may have a section of ours, which other readers ignore:

    "linewise": {"temperature": 1.4, "input_prefix": ["<s>", "<decoder-only>", "</s>"]}

`temperature` divides the logits (calibration, fitted on held-out labels; Guo et al. 2017,
https://arxiv.org/abs/1706.04599). `input_prefix` are the tokens that open every input, here UniXcoder's decoder-only
convention (https://github.com/microsoft/CodeBERT/tree/master/UniXcoder); without it an input opens with the
tokenizer's beginning-of-sequence token, or its classification token, if it has one.
"""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model")


class CheckpointError(Exception):
    """A folder can't be served; the message is one sentence that says why."""


class Conventions(BaseModel):
    """The `linewise` section of a checkpoint's `config.json`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    temperature: float = Field(1.0, gt=0, allow_inf_nan=False)
    input_prefix: tuple[str, ...] | None = None


def read_conventions(folder: Path) -> Conventions:
    """The conventions that `folder` states, or the defaults.

    Raises:
        CheckpointError: there is no such folder, no readable configuration, no safetensors, no tokenizer, or a
            wrong section.
    """
    if not folder.is_dir():
        raise CheckpointError(f"there is no checkpoint folder {folder}")
    config = _read_config(folder / "config.json")
    if not any(folder.glob("*.safetensors")):
        raise CheckpointError(f"{folder} has no *.safetensors; pickled weights are never loaded")
    if not any((folder / name).is_file() for name in _TOKENIZERS):
        raise CheckpointError(f"{folder} has no tokenizer")
    try:
        return Conventions.model_validate(config.get("linewise") or {})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in ("linewise", *first["loc"]))
        raise CheckpointError(f"{folder / 'config.json'}: {place}: {first['msg']}") from error


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} can't be read as JSON: {error}") from error
    if not isinstance(config, dict):
        raise CheckpointError(f"{path} is not a JSON object")
    return config
