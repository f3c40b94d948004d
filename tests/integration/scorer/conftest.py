"""Tiny checkpoints, made and saved as a trainer would, and programs that are hard to cut into lines."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForTokenClassification, GPT2Config, LlamaConfig, PretrainedConfig, RobertaConfig

from services.scorer.kept_prompts import KeptPrompts
from services.scorer.model import TorchPrm, load_prm
from trainer.tokenizers import train_bpe

VOCABULARY = 400
UNIXCODER = ["<s>", "<decoder-only>", "</s>"]

PROGRAMS = {
    "plain": "def f(x):\n    y = x + 1\n    return y\n",
    "crlf": "def f(x):\r\n    # add one\r\n\r\n    return x + 1\r\n",
    "tabs": "def f(x):\n\tif x:\n\t\treturn 1\n\treturn 2\n",
    "emoji": "s = '🙂'\nt = 'naïve — 漢字'\nprint(s, t)\n",
    "no final newline": "a = 1\nb = 2",
    "does not parse": "def f(:\n  retrun x x\n)))\n",
    "triple quotes": 'text = """\n# not a comment\n\n"""\nprint(text)\n',
}
PROMPT = "Write a function to add one.\r\nThanks 🙂"


def _configs() -> dict[str, PretrainedConfig]:
    shared: dict[str, Any] = {"vocab_size": VOCABULARY, "initializer_range": 0.3, "num_labels": 2}
    encoder = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    roberta = {**shared, **encoder, "max_position_embeddings": 514, "pad_token_id": 1}
    return {
        "roberta": RobertaConfig(is_decoder=True, **roberta),
        "unixcoder": RobertaConfig(is_decoder=True, linewise={"input_prefix": UNIXCODER}, **roberta),
        "bidirectional": RobertaConfig(is_decoder=False, **roberta),
        "llama": LlamaConfig(max_position_embeddings=512, **shared, **encoder),
        "gpt2": GPT2Config(n_embd=32, n_layer=2, n_head=2, n_positions=512, **shared),
        "one label": GPT2Config(n_embd=32, n_layer=2, n_head=2, n_positions=512, **{**shared, "num_labels": 1}),
    }


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Models this small only lose by sharing a pass between threads."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def programs() -> dict[str, str]:
    return PROGRAMS


@pytest.fixture(scope="session")
def prompt() -> str:
    return PROMPT


@pytest.fixture(scope="session")
def save_checkpoint() -> Callable[..., Path]:
    """Save a tiny random checkpoint of `kind` to a folder; `seed` decides its weights."""
    tokenizer = train_bpe([PROMPT, *PROGRAMS.values()], vocab_size=VOCABULARY - len(UNIXCODER))
    tokenizer.add_special_tokens({"additional_special_tokens": UNIXCODER})

    def save(folder: Path, kind: str = "roberta", *, seed: int = 0, linewise: dict[str, Any] | None = None) -> Path:
        torch.manual_seed(seed)
        config = _configs()[kind]
        if linewise is not None:
            config.linewise = linewise
        AutoModelForTokenClassification.from_config(config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return folder

    return save


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory, save_checkpoint: Callable[..., Path]) -> Callable[[str], Path]:
    """The folder of a checkpoint of one kind, made once a session; not to be changed."""
    made: dict[str, Path] = {}

    def folder_of(kind: str) -> Path:
        if kind not in made:
            made[kind] = save_checkpoint(tmp_path_factory.mktemp("checkpoint") / "prm", kind)
        return made[kind]

    return folder_of


@pytest.fixture(scope="session")
def load() -> Callable[[Path], TorchPrm]:
    """Load a checkpoint as the scorer does on a CPU."""
    return lambda folder: load_prm(folder, device="cpu", dtype="float32", max_tokens=8192)


@pytest.fixture(scope="session")
def loaded(checkpoint: Callable[[str], Path], load: Callable[[Path], TorchPrm]) -> Callable[[str], TorchPrm]:
    """A checkpoint of one kind, loaded once a session, that remembers no prompt; its model is not to be changed."""
    made: dict[str, TorchPrm] = {}

    def prm_of(kind: str) -> TorchPrm:
        if kind not in made:
            made[kind] = load(checkpoint(kind))
        return replace(made[kind], kept=KeptPrompts())

    return prm_of


@pytest.fixture
def edit_config() -> Callable[..., None]:
    """Change fields of a checkpoint's `config.json`."""

    def edit(folder: Path, **fields: Any) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | fields))

    return edit
