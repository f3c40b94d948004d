"""Does reading a shared prompt once pay? Rollouts of prompts, scored with and without sharing, by the model alone.

    python benchmarks/scorer_shared_prompts.py --size unixcoder --rollouts 8 32
    python benchmarks/scorer_shared_prompts.py --size demo --rollouts 8 16 32 64
    python benchmarks/scorer_shared_prompts.py --size demo --rollouts 8 --prompts 8

Random weights and ids: speed doesn't depend on them. Both ways run in the batches that the scorer would make of them,
in turns; the best of the repetitions counts. `bound` is the share of tokens that remain: what a perfect cache would
reach. Leaves out: the service, GPUs. What came of it: docs/adr/0023.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from transformers import AutoModelForTokenClassification, LlamaConfig, PretrainedConfig, RobertaConfig

from services.contracts.prm_layout import PrmInput
from services.scorer.grouping import group_by_length
from services.scorer.kept_prompts import KeptPrompts
from services.scorer.model import TorchPrm, load_prm
from services.scorer.shared_prompts import batches_of, prompt_key
from trainer.tokenizers import train_bpe

DEMO = {"hidden_size": 128, "intermediate_size": 320, "num_hidden_layers": 3, "num_attention_heads": 4}


def make_prm(size: str) -> TorchPrm:
    """UniXcoder's shape, or that of the PRM that `make demo` trains, loaded as the scorer does."""
    tokenizer = train_bpe(["def f(x):\n    return x + 1\n"], 300)
    configs: dict[str, PretrainedConfig] = {
        "unixcoder": RobertaConfig(vocab_size=1500, max_position_embeddings=1026, is_decoder=True),
        "demo": LlamaConfig(vocab_size=1500, max_position_embeddings=1024, **DEMO),
    }
    with tempfile.TemporaryDirectory() as folder:
        AutoModelForTokenClassification.from_config(configs[size]).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return load_prm(Path(folder), device="cpu", dtype="float32", max_tokens=1024)


def make_inputs(prompts: int, rollouts: int, prompt: int, code: int) -> list[PrmInput]:
    """Rollouts of each prompt in turn, their code shorter or longer than `code` by a third at most, ten steps each."""
    rng = random.Random(0)
    heads = [[rng.randrange(5, 1500) for _ in range(prompt)] for _ in range(prompts)]
    inputs = []
    for head in heads * rollouts:
        length = rng.randint(code - code // 3, code + code // 3)
        ids = [*head, *(rng.randrange(5, 1500) for _ in range(length))]
        inputs.append(PrmInput(ids, [prompt + length * step // 10 - 1 for step in range(1, 11)], prompt_tokens=prompt))
    return inputs


def score(prm: TorchPrm, inputs: list[PrmInput], budget: int) -> list[list[float]]:
    """All scores, in the batches that the scorer makes; no prompt was read before."""
    lengths = [len(item.ids) for item in inputs]
    keys = [prompt_key(item) for item in inputs]
    batches = batches_of(lengths, keys, budget) if prm.shares_prompts else group_by_length(lengths, budget)
    prm = replace(prm, kept=KeptPrompts())
    scores: dict[int, list[float]] = {}
    for batch in batches:
        scores.update(zip(batch, prm.score([inputs[index] for index in batch]), strict=True))
    return [scores[index] for index in range(len(inputs))]


def best_of(repetitions: int, works: list[Callable[[], object]]) -> list[float]:
    """The least seconds of each, run in turns."""
    taken = [[_seconds(work) for work in works] for _ in range(repetitions)]
    return [min(column) for column in zip(*taken, strict=True)]


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    """Print a line for each number of rollouts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=["unixcoder", "demo"], default="demo")
    parser.add_argument("--rollouts", type=int, nargs="+", default=[8, 16, 32, 64], help="of each prompt")
    parser.add_argument("--prompts", type=int, default=1)
    parser.add_argument("--prompt", type=int, default=100, help="tokens of a prompt")
    parser.add_argument("--code", type=int, default=150, help="tokens of a program")
    parser.add_argument("--budget", type=int, default=1024, help="tokens of a pass")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    sharing = make_prm(arguments.size)
    whole = replace(sharing, shares_prompts=False)
    for rollouts in arguments.rollouts:
        inputs = make_inputs(arguments.prompts, rollouts, arguments.prompt, arguments.code)
        rows = zip(score(whole, inputs, arguments.budget), score(sharing, inputs, arguments.budget), strict=True)
        distance = max(abs(one - other) for pair in rows for one, other in zip(*pair, strict=True))
        works = [partial(score, prm, inputs, arguments.budget) for prm in (whole, sharing)]
        seconds = best_of(arguments.repetitions, works)
        tokens = sum(len(item.ids) for item in inputs)
        bound = tokens / (tokens - arguments.prompts * (rollouts - 1) * arguments.prompt)
        print(
            f"{arguments.size} prompts {arguments.prompts} rollouts {rollouts}: whole {seconds[0] * 1e3:.1f} ms, "
            f"shared {seconds[1] * 1e3:.1f} ms, ratio {seconds[0] / seconds[1]:.2f} (bound {bound:.2f}), "
            f"scores differ by {distance:.1e} at most",
            flush=True,
        )


if __name__ == "__main__":
    main()
