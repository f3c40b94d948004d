"""What the scorer costs, in one run: its HTTP front against the bare model, one pass against a pass per prefix.

    python benchmarks/scorer.py --size small
    python benchmarks/scorer.py --size unixcoder --programs 16

The checkpoint has random weights: speed doesn't depend on them. The server runs in a process of its own, the client
in this one. Trust the ratios; on a shared machine the absolute figures wobble. Leaves out: GPUs, other servers.
"""

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import contextmanager
from pathlib import Path

import httpx
import torch
import transformers
from transformers import AutoModelForTokenClassification, RobertaConfig

from services.client import ScorerClient
from services.contracts import ScoreRequest
from services.scorer.encoding import Encoded, encode
from services.scorer.grouping import group_by_length
from services.scorer.model import TorchPrm, load_prm
from trainer.tokenizers import train_bpe

BUDGET = 8192
SIZES = {
    "small": {"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 512},
    "unixcoder": {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072},
}


def make_requests(programs: int) -> list[ScoreRequest]:
    """Programs of 4 to 16 lines, with prompts of two sentences; always the same."""
    rng = random.Random(0)
    prompt = "Write a function to transform a list of numbers and reduce it to one. It must not change its argument."
    return [ScoreRequest(prompt=f"{prompt} Task {n}.", code=_program(rng)) for n in range(programs)]


def _program(rng: random.Random) -> str:
    names = ["total", "items", "value", "count", "result"]
    lines = ["def solve(items):"]
    for _ in range(rng.randint(3, 15)):
        lines.append(f"    {rng.choice(names)} = {rng.choice(names)} {rng.choice('+-*%')} {rng.randint(0, 99)}")
    return "\n".join(lines) + "\n"


def make_checkpoint(folder: Path, size: str, requests: list[ScoreRequest]) -> None:
    """A RoBERTa in decoder mode, of that size, with a tokenizer learnt from the programs."""
    tokenizer = train_bpe([request.code for request in requests], vocab_size=800)
    config = RobertaConfig(vocab_size=len(tokenizer), max_position_embeddings=1026, is_decoder=True, **SIZES[size])
    AutoModelForTokenClassification.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def matmul_gflops(width: int = 1024, seconds: float = 1.0) -> float:
    """The machine's roofline: a plain float32 matrix product of that width."""
    left, right = torch.randn(width, width), torch.randn(width, width)
    products, started = 0, time.perf_counter()
    while (taken := time.perf_counter() - started) < seconds:
        left @ right
        products += 1
    return 2 * width**3 * products / taken / 1e9


def pass_gflop(prm: TorchPrm, length: int) -> float:
    """Work of one input: twice the weights outside the embeddings for each token, and attention."""
    config = prm.model.config
    weights = prm.parameters - sum(table.weight.numel() for table in _tables(prm))
    attention = 4 * config.num_hidden_layers * config.hidden_size * length
    return length * (2 * weights + attention) / 1e9


def _tables(prm: TorchPrm) -> list[torch.nn.Embedding]:
    return [module for module in prm.model.modules() if isinstance(module, torch.nn.Embedding)]


def timed(work: Callable[[], object]) -> float:
    """Seconds that `work` takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def score_bare(prm: TorchPrm, encoded: list[Encoded]) -> None:
    """The model alone, on the batches the scorer would make."""
    for group in group_by_length([len(item.input.ids) for item in encoded], BUDGET):
        prm.score([encoded[index].input for index in group])


def score_prefixes(prm: TorchPrm, requests: list[ScoreRequest], encoded: list[Encoded]) -> None:
    """A pass for every step, as without a causal mask."""
    for request, whole in zip(requests, encoded, strict=True):
        for index in whole.scored_steps:
            prefix = request.model_copy(update={"code": request.code[: whole.steps[index].end]})
            prm.score([encode(prefix, prm).input])


@contextmanager
def served(folder: Path, port: int, threads: int):  # type: ignore[no-untyped-def]
    """The scorer as a process of its own; yields its URL."""
    command = [sys.executable, "-m", "uvicorn", "--factory", "services.scorer.app:create_app", "--log-level", "error"]
    settings = {
        "MODELS": f"prm={folder}",
        "TORCH_THREADS": str(threads),
        "MAX_BATCH_TOKENS": str(BUDGET),
        "CACHE_ENTRIES": "0",
    }
    environment = os.environ | {f"LINEWISE_SCORER_{name}": value for name, value in settings.items()}
    process = subprocess.Popen([*command, "--port", str(port)], env=environment)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_ready(url)
        yield url
    finally:
        process.terminate()
        process.wait()


def _wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + 120
    while True:
        try:
            httpx.get(f"{url}/readyz").raise_for_status()
            return
        except httpx.HTTPError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


async def time_http(url: str, requests: list[ScoreRequest]) -> dict[str, float]:
    """Seconds for the same programs, the better of two runs each: in one call, in single calls at once, in turn."""
    async with ScorerClient(url, timeout_s=600) as client:

        async def batch() -> None:
            await client.score_batch(requests)

        async def concurrent() -> None:
            await asyncio.gather(*map(client.score, requests))

        async def serial() -> None:
            for request in requests:
                await client.score(request)

        return {way.__name__: min([await _timed(way) for _ in range(2)]) for way in (batch, concurrent, serial)}


async def _timed(work: Callable[[], Awaitable[None]]) -> float:
    started = time.perf_counter()
    await work()
    return time.perf_counter() - started


def measure(size: str, programs: int, threads: int, port: int) -> dict[str, float | str]:
    """Every figure, from one run."""
    torch.set_num_threads(threads)
    transformers.logging.disable_progress_bar()
    requests = make_requests(programs)
    with tempfile.TemporaryDirectory() as folder:
        make_checkpoint(Path(folder), size, requests)
        prm = load_prm(Path(folder), device="cpu", dtype="float32", max_tokens=BUDGET)
        encoded = [encode(request, prm) for request in requests]
        work = sum(pass_gflop(prm, len(item.input.ids)) for item in encoded)
        roofline = matmul_gflops()
        bare = min(timed(lambda: score_bare(prm, encoded)) for _ in range(2))
        one_pass = timed(lambda: [prm.score([item.input]) for item in encoded[:4]])
        per_prefix = timed(lambda: score_prefixes(prm, requests[:4], encoded[:4]))
        with served(Path(folder), port, threads) as url:
            http = asyncio.run(time_http(url, requests))
    return {
        "size": size,
        "parameters": prm.parameters,
        "programs": programs,
        "tokens per program": sum(len(item.input.ids) for item in encoded) / programs,
        "lines per program": sum(len(item.steps) for item in encoded) / programs,
        "roofline GFLOP/s": roofline,
        "bare model GFLOP/s": work / bare,
        "fraction of roofline": work / bare / roofline,
        "bare model programs/s": programs / bare,
        **{f"HTTP {way} programs/s": programs / seconds for way, seconds in http.items()},
        "HTTP batch over bare": bare / http["batch"],
        "HTTP concurrent over bare": bare / http["concurrent"],
        "concurrent over serial": http["serial"] / http["concurrent"],
        "one pass over per-prefix": per_prefix / one_pass,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--programs", type=int, default=64)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="torch threads of a pass")
    parser.add_argument("--port", type=int, default=8901)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    options = parser.parse_args()
    figures = measure(options.size, options.programs, options.threads, options.port)
    if options.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:30} {value:,.2f}" if isinstance(value, float) else f"{name:30} {value}")


if __name__ == "__main__":
    main()
