"""Phase 1, supervised fine-tuning: the policy learns to write the reference solutions.

Cross-entropy on the program's tokens and the end of the sequence, never on the prompt. Batches are drawn from buckets
of similar length, so that little of a batch is padding. Leaves out: packing, several processes.

    linewise train sft --problems 'lists:train?count=4000' --policy t5-scratch --max-minutes 5
"""

import math
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy

from services.contracts import Problem
from trainer.budget import Budget, rate_factor
from trainer.errors import SettingsError
from trainer.policies import Kind, ModelPolicy, load_policy, new_policy
from trainer.problems import load_problems
from trainer.progress import progress_bar
from trainer.report import write_report
from trainer.runs import Run, replacing
from trainer.tokenizers import train_bpe

_SCRATCH: dict[str, Kind] = {"t5-scratch": "t5", "llama-scratch": "llama"}
_BUCKET = 50  # batches that are sorted by length together


@dataclass(frozen=True)
class SftConfig:
    """Settings of `linewise train sft`."""

    problems: str = "lists:train?count=4000"
    """The problems whose solutions are learnt: a spec such as mbpp:601-974, or a JSONL file."""
    policy: str = "t5-scratch"
    """A checkpoint folder, a name on the model hub, or `t5-scratch` / `llama-scratch`: a small one from nothing."""
    run_dir: Path = Path("runs/sft")
    """Where config, metrics and checkpoints go; the policy ends up in `checkpoints/final`."""
    epochs: float = 50.0
    """Passes over the problems, unless `max_minutes` or `max_iterations` ends it sooner."""
    max_minutes: float | None = None
    """Stop after this many minutes of training."""
    max_iterations: int | None = None
    """Stop after this many batches."""
    batch_size: int = 32
    """Programs a batch."""
    learning_rate: float = 2e-3
    """AdamW's, after the warm-up; 5e-5 suits a published checkpoint."""
    warmup_iterations: int = 100
    """Batches over which the learning rate rises from 0."""
    decay: float = 0.3
    """Share of the run, at its end, over which the learning rate falls to a tenth; 0 keeps it constant."""
    weight_decay: float = 0.01
    """AdamW's."""
    clip_norm: float = 1.0
    """Largest norm of a batch's gradient."""
    vocabulary: int = 800
    """Tokens of a new policy's tokenizer."""
    width: int = 128
    """Width of a new policy."""
    layers: int = 2
    """Layers of a new policy (an encoder-decoder has as many again)."""
    heads: int = 4
    """Attention heads of a new policy."""
    validation: float = 0.05
    """Share of the problems held out, for the validation loss."""
    log_every: int = 20
    """Batches between two lines of metrics."""
    seed: int = 0
    """Decides weights, order and held-out problems."""
    device: str = "cpu"
    """A torch device."""
    threads: int = 1
    """Threads of a CPU run; more than the free cores are far slower than one."""


@dataclass(frozen=True)
class SftSummary:
    """What came of it; losses in nats a token, null where nothing was held out."""

    checkpoint: Path
    parameters: int
    problems: int
    iterations: int
    train_loss: float
    validation_loss: float | None
    seconds: float


def train_sft(config: SftConfig) -> SftSummary:
    """Train a policy on the solutions of `config.problems` and save it in `checkpoints/final`.

    Raises:
        ProblemsError, PolicyError, SettingsError: what was asked for cannot be had.
    """
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    training, held_out = _split(load_problems(config.problems), config)
    policy = _starting_policy(config, training)
    with Run(config.run_dir) as run:
        run.rewind(0)
        run.write_config(config)
        started = time.monotonic()
        iterations, train_loss = _train(policy, training, config, run)
        seconds = time.monotonic() - started
        validation_loss = mean_loss(policy, held_out, config.batch_size) if held_out else None
        checkpoint = run.checkpoint("final")
        with replacing(checkpoint) as folder:
            policy.save(folder)
        summary = SftSummary(
            checkpoint=checkpoint,
            parameters=sum(weights.numel() for weights in policy.model.parameters()),
            problems=len(training),
            iterations=iterations,
            train_loss=train_loss,
            validation_loss=validation_loss,
            seconds=seconds,
        )
        run.write_json("summary.json", summary)
        write_report(run.folder)
    return summary


def loss_of(policy: ModelPolicy, problems: Sequence[Problem]) -> torch.Tensor:
    """The mean cross-entropy of the solutions' tokens, in nats, under grad."""
    ids, mask = policy.encode([problem.solution for problem in problems])
    logits = policy.logits([problem.prompt for problem in problems], ids, mask)
    return cross_entropy(logits[mask].float(), ids[mask])


@torch.no_grad()
def mean_loss(policy: ModelPolicy, problems: Sequence[Problem], batch_size: int) -> float:
    """The loss on `problems`, batch by batch, in nats a token."""
    total, weight = 0.0, 0
    for start in range(0, len(problems), batch_size):
        batch = problems[start : start + batch_size]
        total += len(batch) * loss_of(policy, batch).item()
        weight += len(batch)
    return total / weight


def bucketed_batches(problems: Sequence[Problem], batch_size: int, rng: random.Random) -> Iterator[list[Problem]]:
    """One epoch, shuffled: every problem once, in batches whose programs have about the same length."""
    order = rng.sample(problems, len(problems))
    for start in range(0, len(order), batch_size * _BUCKET):
        bucket = sorted(order[start : start + batch_size * _BUCKET], key=lambda problem: len(problem.solution))
        batches = [bucket[at : at + batch_size] for at in range(0, len(bucket), batch_size)]
        yield from rng.sample(batches, len(batches))


def _split(problems: list[Problem], config: SftConfig) -> tuple[list[Problem], list[Problem]]:
    """Training and held-out problems."""
    held_out = int(len(problems) * config.validation)
    if not problems[held_out:]:
        raise SettingsError(f"{config.problems!r} leaves no problem to train on")
    shuffled = random.Random(config.seed).sample(problems, len(problems))
    return shuffled[held_out:], shuffled[:held_out]


def _starting_policy(config: SftConfig, training: Sequence[Problem]) -> ModelPolicy:
    if config.policy not in _SCRATCH:
        return load_policy(config.policy, device=config.device)
    texts = [text for problem in training for text in (problem.prompt, problem.solution)]
    return new_policy(
        _SCRATCH[config.policy],
        train_bpe(texts, config.vocabulary),
        width=config.width,
        layers=config.layers,
        heads=config.heads,
        inner_width=4 * config.width,
        seed=config.seed,
        device=config.device,
    )


def _train(policy: ModelPolicy, training: Sequence[Problem], config: SftConfig, run: Run) -> tuple[int, float]:
    """The loop; returns the iterations done and the last mean loss that was logged."""
    optimizer = torch.optim.AdamW(policy.model.parameters(), weight_decay=config.weight_decay)
    batches = _batches(training, config)
    budget = Budget(_iterations(config, len(training)), config.max_minutes)
    losses: list[float] = []
    logged = math.nan
    with progress_bar("sft", total=100) as bar:
        while not budget.exhausted:
            rate = config.learning_rate * rate_factor(
                budget.done, budget.fraction, warmup=config.warmup_iterations, decay=config.decay
            )
            losses.append(_learn(policy, next(batches), optimizer, rate, config.clip_norm))
            budget.done += 1
            if budget.exhausted or budget.done % config.log_every == 0:
                logged = sum(losses) / len(losses)
                run.log(budget.done, {"sft/loss": logged, "sft/learning_rate": rate, "timing_s/total": budget.seconds})
                losses.clear()
            bar.move_to(100 * budget.fraction, note=f"loss {logged:.3f}")
    return budget.done, logged


def _iterations(config: SftConfig, problems: int) -> int:
    by_epochs = math.ceil(config.epochs * math.ceil(problems / config.batch_size))
    return by_epochs if config.max_iterations is None else min(by_epochs, config.max_iterations)


def _batches(training: Sequence[Problem], config: SftConfig) -> Iterator[list[Problem]]:
    rng = random.Random(config.seed)
    while True:
        yield from bucketed_batches(training, config.batch_size, rng)


def _learn(
    policy: ModelPolicy, batch: Sequence[Problem], optimizer: torch.optim.Optimizer, rate: float, clip_norm: float
) -> float:
    """One step of the optimizer; returns the batch's loss before it."""
    for group in optimizer.param_groups:
        group["lr"] = rate
    loss = loss_of(policy, batch)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(policy.model.parameters(), clip_norm)
    optimizer.step()
    return loss.item()
