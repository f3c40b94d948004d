"""Small policies of both kinds for the trainer's tests."""

from collections.abc import Callable, Iterator

import pytest
import torch

from trainer.policies import Kind, ModelPolicy, new_policy
from trainer.tokenizers import train_bpe


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small models are fastest on one thread, and so are their neighbours."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def tiny_policy() -> Callable[..., ModelPolicy]:
    """Makes a policy of a few thousand weights: `tiny_policy("t5", seed=1)`."""
    tokenizer = train_bpe(["def f(xs):\n    return sum(xs) + 12\n"] * 9, 280)

    def make(kind: Kind = "t5", seed: int = 0) -> ModelPolicy:
        return new_policy(kind, tokenizer, width=16, layers=1, heads=2, inner_width=32, seed=seed)

    return make
