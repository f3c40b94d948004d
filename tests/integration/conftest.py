"""What several rooms' tests serve: a PRM so small that it is made on the spot."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny PRM with random weights: a causal Llama token classifier and its tokenizer."""
    from transformers import LlamaConfig, LlamaForTokenClassification

    from trainer.tokenizers import train_bpe

    tokenizer = train_bpe(["def add(a, b):\n    total = a + b\n    return total\nAdd two numbers."] * 4, 300)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_labels=2,
        pad_token_id=tokenizer.pad_token_id,
    )
    folder = tmp_path_factory.mktemp("checkpoint") / "prm"
    LlamaForTokenClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
