"""What the scorer's benchmark works on: programs, checkpoints of random weights, and how much work a pass is."""

import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForTokenClassification, LlamaConfig, RobertaConfig

from services.contracts import ScoreRequest
from services.scorer.encoding import Encoded, encode
from services.scorer.linear import PackedLinear
from services.scorer.model import TorchPrm
from trainer.prm_model import PRESETS
from trainer.tokenizers import train_bpe

SIZES = ("demo", "unixcoder")
LINES, TOKENS = 12, 256
_PROMPT = "Write a function to transform a list of numbers and reduce it to one. It must not change its argument."
_UNIXCODER = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
_UNIXCODER_VOCABULARY = 51_416


def make_requests(programs: int, seed: int) -> list[ScoreRequest]:
    """Programs of 4 to 16 lines, with prompts of two sentences, all different."""
    rng = random.Random(seed)
    return [
        ScoreRequest(prompt=f"{_PROMPT} Task {n}.", code=_program(rng, rng.randint(3, 15))) for n in range(programs)
    ]


def repeat(requests: Sequence[ScoreRequest], times: int) -> list[ScoreRequest]:
    """The same programs so many times, each time with a prompt of its own: equal ones under way would share a pass."""
    return [
        request.model_copy(update={"prompt": f"{request.prompt} {turn}"})
        for turn in range(times)
        for request in requests
    ]


def _program(rng: random.Random, lines: int) -> str:
    names = ["total", "items", "value", "count", "result"]
    body = [
        f"    {rng.choice(names)} = {rng.choice(names)} {rng.choice('+-*%')} {rng.randint(0, 99)}" for _ in range(lines)
    ]
    return "\n".join(["def solve(items):", *body]) + "\n"


def one_of_256_tokens(prm: TorchPrm) -> ScoreRequest:
    """A program of 12 lines whose prompt fills its input up to 256 tokens, or a few less."""
    request = ScoreRequest(prompt="", code=_program(random.Random(0), LINES - 1))
    while len(encode(request, prm).input.ids) < TOKENS:
        shorter, request = request, request.model_copy(update={"prompt": f"{request.prompt} number"})
    return shorter


def make_checkpoint(folder: Path, size: str, requests: Sequence[ScoreRequest]) -> None:
    """A causal model of that size, with a tokenizer learnt from the programs."""
    torch.manual_seed(0)
    tokenizer = train_bpe([text for request in requests for text in (request.prompt, request.code)], vocab_size=800)
    if size == "unixcoder":
        config: Any = RobertaConfig(
            vocab_size=_UNIXCODER_VOCABULARY, max_position_embeddings=1026, is_decoder=True, **_UNIXCODER
        )
    else:
        config = LlamaConfig(
            vocab_size=len(tokenizer),
            max_position_embeddings=1024,
            pad_token_id=tokenizer.pad_token_id,
            **PRESETS["small"],
        )
    AutoModelForTokenClassification.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def plain_gflops(width: int = 2048) -> float:
    """The machine's roofline: torch's float32 product of two square matrices."""
    left, right = torch.randn(width, width), torch.randn(width, width)
    return 2 * width**3 / 1e9 * rate(lambda: left @ right, 1.0)


def packed_gflops(rows: int = 1024, inputs: int = 768, outputs: int = 3072) -> float:
    """The same where the right-hand side is packed beforehand, at the shape of UniXcoder's widest layer."""
    layer, x = PackedLinear(torch.randn(outputs, inputs), None), torch.randn(rows, inputs)
    return 2 * rows * inputs * outputs / 1e9 * rate(lambda: layer(x), 1.0)


def rate(work: Callable[[], object], seconds: float) -> float:
    """How often a second `work` is done, over at least so many seconds; at least once."""
    times, started = 0, time.perf_counter()
    while (taken := time.perf_counter() - started) < seconds:
        work()
        times += 1
    return times / taken


def gflop(prm: TorchPrm, encoded: Sequence[Encoded]) -> float:
    """Work of these inputs without padding: products with weights, and attention to the tokens before only."""
    config = prm.model.config
    tables = sum(module.weight.numel() for module in prm.model.modules() if isinstance(module, torch.nn.Embedding))
    vectors = 2 * config.num_hidden_layers * config.hidden_size
    lengths = [len(item.input.ids) for item in encoded]
    attention = sum(vectors * length * (length + 1) for length in lengths)
    return (2 * (prm.parameters - tables) * sum(lengths) + attention) / 1e9
