"""What may be said of arms run with the same seeds: intervals, paired differences, and when a curve reached a level.

Pure functions. A run's results are numbers in [0, 1]; those of one seed in two arms are a pair.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from statistics import fmean, stdev

_RESAMPLES = 10_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its 95 % interval; `low` and `high` are equal to it where there is a single value."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Paired:
    """How much one arm is above another, seed by seed.

    `p_value`: of the exact two-sided sign-flip test, at least 2 / 2^n for n seeds, so never below .0625 for five.
    """

    difference: Estimate
    by_seed: list[float]
    p_value: float


def bootstrap(groups: Sequence[Sequence[float]], *, seed: int = 0, resamples: int = _RESAMPLES) -> Estimate:
    """The mean over seeds of the mean over problems, `groups[seed][problem]`; both are drawn again.

    The percentile bootstrap of Efron 1979 in two stages: an interval that is honest about few seeds and few problems.

    Raises:
        ValueError: there is no group, or an empty one.
    """
    if not groups or not all(groups):
        raise ValueError("nothing to estimate from")
    rng = random.Random(seed)
    means = [_resampled(groups, rng) for _ in range(resamples if len(groups) * len(groups[0]) > 1 else 1)]
    return _estimate(fmean(fmean(group) for group in groups), means)


def paired(
    ours: Sequence[Sequence[float]], theirs: Sequence[Sequence[float]], *, seed: int = 0, resamples: int = _RESAMPLES
) -> Paired:
    """Ours above theirs, both `[seed][problem]` with the same seeds and problems in the same order.

    Raises:
        ValueError: the two do not pair up.
    """
    if len(ours) != len(theirs) or any(len(one) != len(other) for one, other in zip(ours, theirs, strict=True)):
        raise ValueError("the arms do not have the same seeds and problems")
    differences = [
        [mine - other for mine, other in zip(one, another, strict=True)]
        for one, another in zip(ours, theirs, strict=True)
    ]
    by_seed = [fmean(difference) for difference in differences]
    return Paired(bootstrap(differences, seed=seed, resamples=resamples), by_seed, sign_flip_p_value(by_seed))


def sign_flip_p_value(differences: Sequence[float]) -> float:
    """The share of all 2^n choices of signs whose mean is as far from 0 as the one seen (Fisher 1935), in (0, 1]."""
    seen = abs(sum(differences))
    sums = [
        abs(sum(sign * each for sign, each in zip(signs, differences, strict=True))) for signs in _signs(differences)
    ]
    return fmean(total >= seen - 1e-12 for total in sums)


def spread(values: Sequence[float]) -> float:
    """The standard deviation between seeds, 0 for fewer than two."""
    return stdev(values) if len(values) > 1 else 0.0


def smoothed(curve: Sequence[float], window: int) -> list[float]:
    """The mean of the last `window` points at each point, of fewer at the start."""
    return [fmean(curve[max(0, at + 1 - window) : at + 1]) for at in range(len(curve))]


def first_at_least(curve: Sequence[float], level: float) -> int | None:
    """The index at which `curve` first reaches `level`, or None."""
    return next((at for at, value in enumerate(curve) if value >= level), None)


def _signs(values: Sequence[float]) -> product:  # type: ignore[type-arg]
    return product((1, -1), repeat=len(values))


def _resampled(groups: Sequence[Sequence[float]], rng: random.Random) -> float:
    drawn = rng.choices(groups, k=len(groups))
    return fmean(fmean(rng.choices(group, k=len(group))) for group in drawn)


def _estimate(mean: float, means: Sequence[float]) -> Estimate:
    if len(means) == 1:
        return Estimate(mean, mean, mean)
    ordered = sorted(means)
    return Estimate(mean, ordered[int(0.025 * len(ordered))], ordered[int(0.975 * len(ordered))])
