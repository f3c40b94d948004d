"""Small policies and problems for the trainer's runs."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from trainer.policies import Kind, new_policy
from trainer.problems import load_problems
from trainer.tokenizers import train_bpe

PROBLEMS = "lists:train?count=24"


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small models are fastest on one thread, and so are their neighbours."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def tiny_checkpoint(tmp_path: Path) -> Callable[[Kind], Path]:
    """Saves a policy of a few thousand weights and returns its folder."""

    def make(kind: Kind = "t5") -> Path:
        problems = load_problems(PROBLEMS)
        tokenizer = train_bpe([text for each in problems for text in (each.prompt, each.solution)], 300)
        folder = tmp_path / f"tiny-{kind}"
        new_policy(kind, tokenizer, width=16, layers=1, heads=2, inner_width=32).save(folder)
        return folder

    return make
