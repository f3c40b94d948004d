"""When a call is tried again, and how long to wait before."""

from dataclasses import dataclass, field
from random import Random

RETRIED_STATUSES = frozenset({429, 503, 504})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential back-off with full jitter, for 429, 503, 504 and broken connections only.

    The wait before attempt n + 1 is uniform in [0, min(`longest_s`, `first_s` * 2^(n - 1))], and never shorter than
    the service's `Retry-After`. Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """

    attempts: int = 6
    first_s: float = 0.25
    longest_s: float = 8.0
    random: Random = field(default_factory=Random, compare=False, repr=False)

    def wait_s(self, attempt: int, retry_after_s: float = 0.0) -> float:
        """Seconds to wait behind `attempt` (which counts from 1)."""
        ceiling = min(self.longest_s, self.first_s * 2 ** (attempt - 1))
        return max(self.random.uniform(0, ceiling), retry_after_s)
