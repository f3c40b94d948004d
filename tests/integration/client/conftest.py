"""A live scorer and a live executor, on real sockets."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from transformers import AutoModelForTokenClassification, GPT2Config

from services.client import RetryPolicy
from services.client.rewards.judging import Services
from services.executor.app import create_app as create_executor
from services.executor.settings import ExecutorSettings
from services.scorer.app import create_app as create_scorer
from services.scorer.settings import ScorerSettings
from trainer.tokenizers import train_bpe

QUICK = RetryPolicy(attempts=2, first_s=0.01, longest_s=0.02)


@pytest.fixture(scope="session")
def prm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny checkpoint of random weights, widely spread, so that no two programs score alike."""
    folder = tmp_path_factory.mktemp("client") / "prm"
    tokenizer = train_bpe(["def add(a, b):\n    return a + b\n"], 300)
    config = GPT2Config(
        vocab_size=300, n_embd=32, n_layer=2, n_head=2, n_positions=512, num_labels=2, initializer_range=0.3
    )
    AutoModelForTokenClassification.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def services(serve: Callable[[FastAPI], str], prm: Path) -> Iterator[Services]:
    """Both services, by URL."""
    scorer = serve(create_scorer(ScorerSettings(models=[f"prm={prm}"], torch_threads=1)))
    executor = serve(create_executor(ExecutorSettings(workers=2)))
    yield Services(scorer, executor, timeout_s=60, retry=QUICK)
