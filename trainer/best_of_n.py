"""Best of n: of the programs that were sampled for a problem, which one a rule picks, and how often that one passes.

The rules: each aggregate of the PRM's scores, the likeliest program (mean log-probability of its tokens), the longest,
the shortest; and for comparison `random`, whose expectation is pass@1, and `any`, the ceiling, pass@n. Where a rule
cannot tell several programs apart, it gets the share of them that passes. Pure arithmetic on judged samples.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from services.contracts import AggregateForm
from trainer.bootstrap import Interval, interval
from trainer.samples import Sample

Rule = Callable[[Sample], float | None]

_SOFTMIN_TEMPERATURE = 0.1


@dataclass(frozen=True, slots=True)
class Pick:
    """What a rule's picks come to; shares in [0, 1].

    `share` of the `problems` whose picked program passes, `gain` over random choice on the same problems, both with a
    95 % bootstrap interval over problems.
    """

    rule: str
    problems: int
    share: float
    interval: Interval | None
    gain: float
    gain_interval: Interval | None


def picks(samples: Sequence[Sample]) -> list[Pick]:
    """A row for each rule that can be followed, on the problems with a verdict for each of several samples."""
    tasks: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        if sample.kind != "greedy":
            tasks[sample.task_id].append(sample)
    complete = [tried for tried in tasks.values() if len(tried) > 1 and all(sample.verdict for sample in tried)]
    random = [_share(tried) for tried in complete]
    outcomes: dict[str, Sequence[float | None]] = {
        "random": random,
        **{rule: [_outcome(tried, key) for tried in complete] for rule, key in RULES.items()},
        "any": [float(any(sample.passed for sample in tried)) for tried in complete],
    }
    rows = (_row(rule, found, random) for rule, found in outcomes.items())
    return sorted(filter(None, rows), key=lambda row: row.share)


def _row(rule: str, outcomes: Sequence[float | None], random: Sequence[float]) -> Pick | None:
    """A rule's row over the problems where it can be followed; None where it never can."""
    pairs = [(found, chance) for found, chance in zip(outcomes, random, strict=True) if found is not None]
    if not pairs:
        return None
    shares, gains = [found for found, _ in pairs], [found - chance for found, chance in pairs]
    return Pick(rule, len(pairs), _mean(shares), interval(shares), _mean(gains), interval(gains))


def _outcome(tried: Sequence[Sample], rule: Rule) -> float | None:
    """The share of the samples with the highest key that pass; None where a sample has no key."""
    keys = [rule(sample) for sample in tried]
    known = [key for key in keys if key is not None]
    if len(known) < len(keys):
        return None
    return _share([sample for sample, key in zip(tried, keys, strict=True) if key == max(known)])


def _share(samples: Sequence[Sample]) -> float:
    return _mean([float(sample.passed) for sample in samples])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def aggregated(form: AggregateForm, scores: Sequence[float]) -> float:
    """A program's scores as one number, as the scorer's `Aggregate` has it; 0 for a program without a code step."""
    if not scores:
        return 0.0
    values = torch.tensor(scores, dtype=torch.float64)
    forms = {
        AggregateForm.MEAN: values.mean(),
        AggregateForm.MIN: values.min(),
        AggregateForm.PRODUCT: values.prod(),
        AggregateForm.LAST: values[-1],
        AggregateForm.SOFTMIN: torch.softmax(-values / _SOFTMIN_TEMPERATURE, dim=0) @ values,
    }
    return float(forms[form])


def _by_scores(form: AggregateForm) -> Rule:
    def key(sample: Sample) -> float | None:
        return None if sample.scores is None else aggregated(form, [score for _, score in sample.scores])

    return key


def _likelihood(sample: Sample) -> float | None:
    return sample.logprob / sample.tokens if sample.logprob is not None and sample.tokens else None


RULES: dict[str, Rule] = {
    **{f"PRM, {form}": _by_scores(form) for form in AggregateForm},
    "likeliest": _likelihood,
    "longest": lambda sample: len(sample.completion),
    "shortest": lambda sample: -len(sample.completion),
}
"""A key for each sample by which the rule picks the largest; None where the sample lacks what it asks for."""
