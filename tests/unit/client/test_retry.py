"""The back-off grows, is capped, jittered, and never undercuts Retry-After."""

import random

from services.client import RetryPolicy


def test_waits_are_jittered_below_a_ceiling_that_doubles_up_to_the_longest() -> None:
    policy = RetryPolicy(first_s=1.0, longest_s=4.0, random=random.Random(0))
    waits = [[policy.wait_s(attempt) for _ in range(200)] for attempt in (1, 2, 3, 4, 9)]
    for sample, ceiling in zip(waits, (1, 2, 4, 4, 4), strict=True):
        assert 0.9 * ceiling < max(sample) <= ceiling
        assert min(sample) < 0.1 * ceiling


def test_retry_after_is_the_least_wait() -> None:
    policy = RetryPolicy(first_s=0.001, longest_s=0.001)
    assert policy.wait_s(1, retry_after_s=3.0) == 3.0
