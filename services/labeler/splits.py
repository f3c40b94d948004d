"""Which split a problem belongs to: train, validation or test, the same for ever and everywhere."""

import hashlib
from typing import Literal

Split = Literal["train", "validation", "test"]


def split_of(problem_id: str) -> Split:
    """80 % train, 10 % validation, 10 % test, by a hash of the id: no program of a problem is in two splits."""
    percentile = int.from_bytes(hashlib.sha256(problem_id.encode()).digest()[:8]) % 100
    if percentile < 80:
        return "train"
    return "validation" if percentile < 90 else "test"
