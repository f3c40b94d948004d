"""A PRM that TRL's PRMTrainer trained and saved, served as it is: its scores are the model's own logits."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from fastapi import FastAPI
from transformers import GPT2Config, GPT2ForTokenClassification, LlamaConfig, LlamaForTokenClassification

from services.client import ScorerClient
from services.contracts import ScoreRequest
from services.scorer.app import create_app
from services.scorer.settings import ScorerSettings

prm = pytest.importorskip("trl.experimental.prm", reason="this TRL has no PRMTrainer: 1.13 is the last that does")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # of TRL's and its libraries' doing

EXAMPLES: list[dict[str, Any]] = [
    {
        "prompt": "Write a function to add two numbers.\n",
        "completions": ["def add(a, b):", "    total = a + b", "    return total"],
        "labels": [True, True, True],
    },
    {
        "prompt": "Write a function to add two numbers.\n",
        "completions": ["def add(a, b):", "    total = a - b", "    return total"],
        "labels": [True, False, False],
    },
    {
        "prompt": "Write a function that tells\nwhether a text is empty 🙂.\n",
        "completions": ["def empty(text):", "\treturn text == ''"],
        "labels": [True, True],
    },
]


def new_model(kind: str) -> Any:
    torch.manual_seed(0)
    if kind == "gpt2":
        sizes = {"vocab_size": 300, "n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 256}
        return GPT2ForTokenClassification(GPT2Config(**sizes, num_labels=2, bos_token_id=1, eos_token_id=2))
    sizes = {"vocab_size": 300, "hidden_size": 32, "intermediate_size": 64, "max_position_embeddings": 256}
    layers = {"num_hidden_layers": 2, "num_attention_heads": 2}
    return LlamaForTokenClassification(LlamaConfig(**sizes, **layers, num_labels=2))


@pytest.fixture(params=["llama", "gpt2"])
def trained(request: pytest.FixtureRequest, tokenizer: Any, tmp_path: Path) -> Any:
    """A PRMTrainer behind twenty steps, its model saved to `tmp_path / "prm"`."""
    from datasets import Dataset

    config = prm.PRMConfig(
        output_dir=str(tmp_path / "run"),
        max_steps=20,
        per_device_train_batch_size=3,
        learning_rate=1e-2,
        save_strategy="no",
        report_to=[],
        use_cpu=True,
        bf16=False,
        disable_tqdm=True,
    )
    assert config.step_separator == "\n"
    trainer = prm.PRMTrainer(
        new_model(request.param), args=config, train_dataset=Dataset.from_list(EXAMPLES), processing_class=tokenizer
    )
    trainer.train()
    trainer.save_model(str(tmp_path / "prm"))
    return trainer


def own_scores(trainer: Any, tokenizer: Any, example: dict[str, Any]) -> list[float]:
    """The trained model's probability of the label 1 wherever TRL's own tokenisation puts a label."""
    row = prm.PRMTrainer.tokenize_row(
        example,
        tokenizer,
        step_separator="\n",
        max_length=None,
        max_completion_length=None,
        train_on_last_step_only=False,
        is_eval=False,
    )
    with torch.no_grad():
        logits = trainer.model.eval()(input_ids=torch.tensor([row["input_ids"]])).logits[0]
    at = [index for index, label in enumerate(row["labels"]) if label != -100]
    return logits.softmax(dim=1)[at, 1].tolist()


async def test_the_scorers_scores_are_the_models_logits_at_trls_own_places(
    trained: Any, tokenizer: Any, tmp_path: Path, serve: Callable[[FastAPI], str]
) -> None:
    url = serve(create_app(ScorerSettings(models=[str(tmp_path / "prm")], torch_threads=1)))
    async with ScorerClient(url) as scorer:
        for example in EXAMPLES:
            code = "\n".join(example["completions"])
            request = ScoreRequest(prompt=example["prompt"].removesuffix("\n"), code=code)
            scores = [step.score for step in (await scorer.score(request)).steps]
            assert scores == pytest.approx(own_scores(trained, tokenizer, example), abs=1e-4)
    right, wrong = (own_scores(trained, tokenizer, example) for example in EXAMPLES[:2])
    assert right[1] > wrong[1]
