"""Where the gradients of reward forms point, and how loud they are: what a training run would average, without one.

    linewise evaluate --policy runs/sft/checkpoints/final --problems 'lists:train?count=400' --n 8 --no-greedy \\
        --temperature 1 --with-scores --run-dir runs/gradients
    python benchmarks/reward_gradients.py runs/gradients/samples.jsonl --policy runs/sft/checkpoints/final \\
        --problems 'lists:train?count=400' [--executor-url http://127.0.0.1:8002]

The samples are cut into iterations of whole tasks, and each gives every form a policy gradient as PPO's first step has
it: advantages by GAE without a critic, less the mean over a task's programs, whitened; with a step lambda (`step_lam`
of PPO) less that of the same step. All figures are unbiased.

`signal / noise`: squared length of the mean gradient over the variance of an iteration's. `cosine`: of the form's mean
gradient and the outcome's; it may exceed 1 by chance. `use`: how much a step of length 1 along one iteration's gradient
raises the outcome's objective, in thousandths, by the gradients of all other iterations. Chances of success are fitted
to half of the tasks, gradients are of the other half. Programs are read in the tokenizer's own tokens. With an
executor there are forms of the oracle of list tasks, too, which a perfect PRM would be.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch.nn.utils.rnn import pad_sequence

from trainer.advantage import centred_by_group, gae, masked_whiten, step_lambdas
from trainer.experiments.oracle import OracleRewards
from trainer.experiments.outcome import read_samples
from trainer.judging import Program, ask_once
from trainer.policies import ModelPolicy, Responses, load_policy
from trainer.problems import load_problems
from trainer.reward_forms import Judgement, StepScore
from trainer.rewards import RewardForm, program_reward, step_numbers, token_rewards
from trainer.samples import Sample
from trainer.success_chance import SuccessChance

_TASKS = 32  # an iteration
_ROWS = 64  # a pass through the model


Steps = Literal["scores", "chances", "oracle"]


@dataclass(frozen=True, slots=True)
class Form:
    """A reward, its lambda (from token to token, or `by_step`), and what its steps are judged by."""

    reward: RewardForm
    lam: float
    steps: Steps = "scores"
    by_step: bool = False


FORMS = {
    "outcome": Form(RewardForm("outcome"), 1.0),
    "progress, lambda .95": Form(RewardForm("process", "progress"), 0.95),
    "softmin, lambda 1": Form(RewardForm("process", "softmin"), 1.0),
    "chance, lambda .95": Form(RewardForm("process", "delta"), 0.95, steps="chances"),
    "chance, lambda .98": Form(RewardForm("process", "delta"), 0.98, steps="chances"),
    "chance, lambda 1": Form(RewardForm("process", "delta"), 1.0, steps="chances"),
    "settled, lambda .98": Form(RewardForm("settled", "delta"), 0.98, steps="chances"),
} | {
    f"score, step lambda {lam}": Form(RewardForm("process", "sum"), float(lam), by_step=True)
    for lam in ("0", ".5", ".9")
}

ORACLE = {
    f"oracle, lambda {lam}": Form(RewardForm("process", "delta"), float(lam), steps="oracle")
    for lam in (".98", ".9", ".7")
}
"""A program's shares of the way add up to its outcome, so with a lambda of 1 these would be the outcome."""

Judged = Mapping[Steps, list[Judgement]]
"""The judgements of an iteration's programs, by what their steps are judged by."""


def main(samples: Path, checkpoint: str, problems: str, executor_url: str | None) -> None:
    """Print a row for each form."""
    torch.set_num_threads(1)
    policy = load_policy(checkpoint)
    tasks = by_task(read_samples(samples))
    half = len(tasks) // 2
    chance = SuccessChance.fit(
        ([score for _, score in each.scores or ()], each.passed) for task in tasks[half:] for each in task
    )
    by_id = {problem.id: problem for problem in load_problems(problems)}
    forms = {**FORMS, **(ORACLE if executor_url else {})}
    found: dict[str, list[torch.Tensor]] = {name: [] for name in forms}
    for at in range(0, half - half % _TASKS, _TASKS):
        drawn = sorted(
            (sample for task in tasks[at : at + _TASKS] for sample in task), key=lambda sample: len(sample.completion)
        )
        programs = [Program(by_id[sample.task_id], sample.completion) for sample in drawn]
        judged: Judged = {
            "scores": [judgement(sample, None) for sample in drawn],
            "chances": [judgement(sample, chance) for sample in drawn],
            "oracle": told(programs, executor_url) if executor_url else [],
        }
        for name, gradient in gradients(policy, programs, judged, forms).items():
            found[name].append(gradient)
    outcome = torch.stack(found["outcome"])
    print(f"{len(outcome)} iterations of {_TASKS} tasks")
    for name, each in found.items():
        print(
            f"{name:24}", *(f"{figure} {value:8.3f}" for figure, value in figures(torch.stack(each), outcome).items())
        )


def by_task(samples: Sequence[Sample]) -> list[list[Sample]]:
    """The judged and scored samples of each task."""
    tasks: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        if sample.verdict is not None and sample.scores:
            tasks[sample.task_id].append(sample)
    return list(tasks.values())


def gradients(
    policy: ModelPolicy, programs: Sequence[Program], judged: Judged, forms: Mapping[str, Form]
) -> dict[str, torch.Tensor]:
    """Each form's gradient of one iteration, as one vector."""
    texts, prompts = [program.code for program in programs], [program.problem.prompt for program in programs]
    ids, mask = policy.encode(texts)
    spans = policy.spans(Responses(ids, mask, torch.zeros(ids.shape), texts, [True] * len(texts)))
    advantages = {}
    for name, form in forms.items():
        earned = [program_reward(each, form.reward) for each in judged[form.steps]]
        rewards = token_rewards(earned, spans, ids.shape[1])
        numbers = [step_numbers(each, row) for each, row in zip(judged[form.steps], spans, strict=True)]
        steps = pad_sequence([torch.tensor(row) for row in numbers], batch_first=True)
        lam = step_lambdas(steps, form.lam) if form.by_step else form.lam
        returns, _ = gae(rewards, torch.zeros_like(rewards), mask, 1.0, lam)
        centred = centred_by_group(returns, mask, prompts, steps if form.by_step else None)
        advantages[name] = masked_whiten(centred, mask)
    weights = [weight for weight in policy.model.parameters() if weight.requires_grad]
    found = {name: torch.zeros(sum(weight.numel() for weight in weights)) for name in forms}
    for rows in _parts(len(programs)):
        width = int(mask[rows].sum(dim=1).max())
        logprobs, _ = policy.logprobs(prompts[rows], ids[rows, :width], mask[rows, :width])
        for name in forms:
            gained = torch.where(mask[rows, :width], logprobs * advantages[name][rows, :width], 0).sum() / mask.sum()
            parts = torch.autograd.grad(gained, weights, retain_graph=True, materialize_grads=True, allow_unused=True)
            found[name] += torch.cat([part.flatten() for part in parts])
    return found


def told(programs: Sequence[Program], executor_url: str) -> list[Judgement]:
    """What one says of the programs who knows the solutions."""
    with OracleRewards(executor_url=executor_url) as oracle:
        judged = ask_once(oracle, programs).wait()
    known = [each for each in judged if each is not None]
    if len(known) < len(judged):
        raise SystemExit(f"the executor at {executor_url} left {len(judged) - len(known)} programs unanswered")
    return known


def judgement(sample: Sample, chance: SuccessChance | None) -> Judgement:
    """What is known of a sample, with chances of success in place of its scores where one says them."""
    ends, scores = zip(*(sample.scores or ()), strict=True)
    steps = zip(ends, chance.of(scores) if chance else scores, strict=True)
    return Judgement(tuple(StepScore(end, score) for end, score in steps), sample.verdict)


def figures(gradients: torch.Tensor, outcome: torch.Tensor) -> dict[str, float]:
    """The figures of the module's docstring, from gradients `[iteration, weight]`."""
    signal, across, wanted = (
        _between(*pair) for pair in ((gradients, gradients), (gradients, outcome), (outcome,) * 2)
    )
    noise = gradients.square().sum(dim=1).mean().item() - signal
    uses = [
        torch.dot(each, (outcome.sum(dim=0) - own) / (len(outcome) - 1)) / each.norm().clamp(min=1e-12)
        for each, own in zip(gradients, outcome, strict=True)
    ]
    use = torch.stack(uses)
    return {
        "signal / noise": signal / noise,
        "cosine": across / (max(signal, 1e-12) * max(wanted, 1e-12)) ** 0.5,
        "use": 1e3 * use.mean().item(),
        "+-": 1e3 * use.std().item() / len(use) ** 0.5,
    }


def _between(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """The inner product of two mean gradients, from pairs of different iterations alone."""
    count = len(ours)
    pairs = torch.dot(ours.sum(dim=0), theirs.sum(dim=0)) - (ours * theirs).sum()
    return pairs.item() / (count * (count - 1))


def _parts(count: int) -> Iterator[slice]:
    for start in range(0, count, _ROWS):
        yield slice(start, start + _ROWS)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("samples", type=Path)
    parser.add_argument("--policy", required=True)
    parser.add_argument("--problems", required=True)
    parser.add_argument("--executor-url", help="an executor, for the forms of the oracle")
    arguments = parser.parse_args()
    main(arguments.samples, arguments.policy, arguments.problems, arguments.executor_url)
