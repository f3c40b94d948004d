"""pass@k: how likely one of k samples solves a task, estimated from n ≥ k samples (Chen et al. 2021, equation 1).

https://arxiv.org/abs/2107.03374. Pure arithmetic: what counts as solved is the caller's business.
"""

import math
from collections.abc import Sequence


def pass_at_k(n: int, c: int, k: int) -> float:
    """The unbiased estimate `1 - C(n - c, k) / C(n, k)` for one task with `c` correct among `n` samples.

    Computed as a product of ratios in (0, 1], so that no binomial coefficient overflows.

    Raises:
        ValueError: not `0 <= c <= n` and `1 <= k <= n`; fewer samples than k say nothing of pass@k.
    """
    if not (0 <= c <= n and 1 <= k <= n):
        raise ValueError(f"pass@{k} needs at least {k} samples and as many correct ones at most; n={n}, c={c}")
    if n - c < k:
        return 1.0
    return 1.0 - math.prod(1.0 - k / m for m in range(n - c + 1, n + 1))


def mean_pass_at_k(counts: Sequence[tuple[int, int]], k: int) -> float | None:
    """The mean over tasks of `(n, c)`; tasks with fewer than k samples are left out, None where none is left."""
    estimates = [pass_at_k(n, c, k) for n, c in counts if n >= k]
    return sum(estimates) / len(estimates) if estimates else None


def standard_error(counts: Sequence[tuple[int, int]], k: int) -> float | None:
    """The standard error of `mean_pass_at_k` over tasks, None where fewer than two have k samples."""
    estimates = [pass_at_k(n, c, k) for n, c in counts if n >= k]
    if len(estimates) < 2:
        return None
    mean = sum(estimates) / len(estimates)
    variance = sum((estimate - mean) ** 2 for estimate in estimates) / (len(estimates) - 1)
    return math.sqrt(variance / len(estimates))
