"""Where the gradients of reward forms point, and how loud they are: what a training run would average, without one.

    linewise evaluate --policy runs/sft/checkpoints/final --problems 'lists:train?count=400' --n 8 --no-greedy \\
        --temperature 1 --with-scores --run-dir runs/gradients
    python benchmarks/reward_gradients.py runs/gradients/samples.jsonl --policy runs/sft/checkpoints/final \\
        --problems 'lists:train?count=400'

The samples are cut into iterations of whole tasks, and each gives every form a policy gradient as PPO's first step has
it: advantages by GAE without a critic, less the mean over a task's programs, whitened. All figures are unbiased.

`signal / noise`: squared length of the mean gradient over the variance of an iteration's. `cosine`: of the form's mean
gradient and the outcome's; it may exceed 1 by chance. `use`: how much a step of length 1 along one iteration's gradient
raises the outcome's objective, in thousandths, by the gradients of all other iterations. Chances of success are fitted
to half of the tasks, gradients are of the other half. Programs are read in the tokenizer's own tokens.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from services.contracts import Problem
from trainer.advantage import centred_by_group, gae, masked_whiten
from trainer.experiments.outcome import read_samples
from trainer.policies import ModelPolicy, Responses, load_policy
from trainer.problems import load_problems
from trainer.reward_forms import Judgement, StepScore
from trainer.rewards import RewardForm, program_reward, token_rewards
from trainer.samples import Sample
from trainer.success_chance import SuccessChance

_TASKS = 32  # an iteration
_ROWS = 64  # a pass through the model


@dataclass(frozen=True, slots=True)
class Form:
    """A reward and its lambda; `chances`: of chances of success in place of scores."""

    reward: RewardForm
    lam: float
    chances: bool = False


FORMS = {
    "outcome": Form(RewardForm("outcome"), 1.0),
    "progress, lambda .95": Form(RewardForm("process", "progress"), 0.95),
    "softmin, lambda 1": Form(RewardForm("process", "softmin"), 1.0),
    "chance, lambda .95": Form(RewardForm("process", "delta"), 0.95, chances=True),
    "chance, lambda .98": Form(RewardForm("process", "delta"), 0.98, chances=True),
    "chance, lambda 1": Form(RewardForm("process", "delta"), 1.0, chances=True),
    "settled, lambda .98": Form(RewardForm("settled", "delta"), 0.98, chances=True),
}


def main(samples: Path, checkpoint: str, problems: str) -> None:
    """Print a row for each form."""
    torch.set_num_threads(1)
    policy = load_policy(checkpoint)
    tasks = by_task(read_samples(samples))
    half = len(tasks) // 2
    chance = SuccessChance.fit(
        ([score for _, score in each.scores or ()], each.passed) for task in tasks[half:] for each in task
    )
    by_id = {problem.id: problem for problem in load_problems(problems)}
    found: dict[str, list[torch.Tensor]] = {name: [] for name in FORMS}
    for at in range(0, half - half % _TASKS, _TASKS):
        drawn = [sample for task in tasks[at : at + _TASKS] for sample in task]
        for name, gradient in gradients(policy, drawn, by_id, chance).items():
            found[name].append(gradient)
    outcome = torch.stack(found["outcome"])
    print(f"{len(outcome)} iterations of {_TASKS} tasks")
    for name, each in found.items():
        print(
            f"{name:22}", *(f"{figure} {value:8.3f}" for figure, value in figures(torch.stack(each), outcome).items())
        )


def by_task(samples: Sequence[Sample]) -> list[list[Sample]]:
    """The judged and scored samples of each task."""
    tasks: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        if sample.verdict is not None and sample.scores:
            tasks[sample.task_id].append(sample)
    return list(tasks.values())


def gradients(
    policy: ModelPolicy, samples: Sequence[Sample], problems: dict[str, Problem], chance: SuccessChance
) -> dict[str, torch.Tensor]:
    """Each form's gradient of one iteration, as one vector."""
    samples = sorted(samples, key=lambda sample: len(sample.completion))
    ids, mask = policy.encode([sample.completion for sample in samples])
    prompts = [problems[sample.task_id].prompt for sample in samples]
    texts = [sample.completion for sample in samples]
    spans = policy.spans(Responses(ids, mask, torch.zeros(ids.shape), texts, [True] * len(texts)))
    advantages = {}
    for name, form in FORMS.items():
        judged = [judgement(sample, chance if form.chances else None) for sample in samples]
        rewards = token_rewards([program_reward(each, form.reward) for each in judged], spans, ids.shape[1])
        returns, _ = gae(rewards, torch.zeros_like(rewards), mask, 1.0, form.lam)
        advantages[name] = masked_whiten(centred_by_group(returns, mask, prompts), mask)
    weights = [weight for weight in policy.model.parameters() if weight.requires_grad]
    found = {name: torch.zeros(sum(weight.numel() for weight in weights)) for name in FORMS}
    for rows in _parts(len(samples)):
        width = int(mask[rows].sum(dim=1).max())
        logprobs, _ = policy.logprobs(prompts[rows], ids[rows, :width], mask[rows, :width])
        for name in FORMS:
            gained = torch.where(mask[rows, :width], logprobs * advantages[name][rows, :width], 0).sum() / mask.sum()
            parts = torch.autograd.grad(gained, weights, retain_graph=True, materialize_grads=True, allow_unused=True)
            found[name] += torch.cat([part.flatten() for part in parts])
    return found


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
        torch.dot(each, (outcome.sum(dim=0) - own) / (len(outcome) - 1)) / each.norm()
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
    arguments = parser.parse_args()
    main(arguments.samples, arguments.policy, arguments.problems)
