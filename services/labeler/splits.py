"""Which split a problem belongs to: train, validation or test, the same for ever and everywhere."""

from typing import Literal

from services.contracts.splits import percentile_of

Split = Literal["train", "validation", "test"]


def split_of(problem_id: str) -> Split:
    """80 % train, 10 % validation, 10 % test, by a hash of the id: no program of a problem is in two splits."""
    percentile = percentile_of(problem_id)
    if percentile < 80:
        return "train"
    return "validation" if percentile < 90 else "test"
