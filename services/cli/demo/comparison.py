"""Before against after on the same held-out tasks: the difference, how sure it is, and what it says in words."""

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from services.cli.errors import FailedError
from trainer.problems.files import read_models
from trainer.samples import Sample

_INTERVAL = 1.96
"""Standard errors on either side of a 95 % interval of a normal distribution."""


@dataclass(frozen=True)
class Comparison:
    """pass@1 of the sampled programs, paired by task; `standard_error` is that of the difference, over tasks."""

    tasks: int
    before: float
    after: float
    difference: float
    standard_error: float | None
    verdict: str


def compare(before: Path, after: Path) -> Comparison:
    """Compare two `samples.jsonl` of the same tasks; a task that one of them lacks is left out.

    Raises:
        FailedError: they have no task in common.
    """
    first, second = _shares(before), _shares(after)
    tasks = sorted(first.keys() & second.keys())
    if not tasks:
        raise FailedError("no held-out task was judged both before and after PPO.")
    differences = [second[task] - first[task] for task in tasks]
    error = _standard_error(differences)
    difference = _mean(differences)
    return Comparison(
        tasks=len(tasks),
        before=_mean([first[task] for task in tasks]),
        after=_mean([second[task] for task in tasks]),
        difference=difference,
        standard_error=error,
        verdict=_in_words(difference, error),
    )


def _shares(path: Path) -> Mapping[str, float]:
    """Task to the share of its sampled programs that passed; a program without a verdict counts neither way."""
    passed: dict[str, list[bool]] = defaultdict(list)
    for sample in read_models(path, Sample):
        if sample.kind == "sampled" and sample.verdict is not None:
            passed[sample.task_id].append(sample.passed)
    return {task: _mean([float(each) for each in tried]) for task, tried in passed.items()}


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _standard_error(values: list[float]) -> float | None:
    if len(values) < 2:
        return None
    mean = _mean(values)
    return math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1) / len(values))


def _in_words(difference: float, error: float | None) -> str:
    sure = error is not None and abs(difference) > _INTERVAL * error
    if difference > 0:
        return "PPO improved the policy" if sure else "PPO's gain is within the noise of this evaluation"
    if difference < 0:
        return "PPO made the policy worse" if sure else "PPO did not improve the policy (the loss is within the noise)"
    return "PPO did not improve the policy"
