"""Bootstrap intervals: how far a mean over problems would move, had other problems of the same kind been asked."""

from collections.abc import Sequence

import torch

Interval = tuple[float, float]

_RESAMPLES = 10_000


def interval(values: Sequence[float], *, level: float = 0.95, seed: int = 0) -> Interval | None:
    """The percentile interval of the mean of `values`, one for each problem; None where there are fewer than two.

    For a difference between two ways, give each problem's difference: the interval is then a paired one. Efron 1979,
    https://doi.org/10.1214/aos/1176344552.
    """
    if len(values) < 2:
        return None
    numbers = torch.tensor(values, dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(len(values), (_RESAMPLES, len(values)), generator=generator)
    means = numbers[drawn].mean(dim=1)
    low, high = torch.quantile(means, torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=torch.float64)).tolist()
    return low, high
