"""What a checkpoint folder says of itself, read before any weight is.

A PRM is a plain Hugging Face token-classification folder: `config.json`, `*.safetensors`, a tokenizer.
`services.contracts.prm_checkpoint` tells what of ours it may hold.
"""

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from services.contracts.prm_checkpoint import Conventions

_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model")


class CheckpointError(Exception):
    """A folder can't be served; the message is one sentence that says why."""


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
