"""A bound on the programs taken in and not yet answered; what comes above it is refused at once."""

from collections.abc import Iterator
from contextlib import contextmanager

from services.kit.errors import OverloadedError, TooLargeError
from services.scorer.metrics import ScorerMetrics


class Admission:
    """Counts programs in and out; used on the event loop alone, so it needs no lock."""

    def __init__(self, max_programs: int, metrics: ScorerMetrics) -> None:
        self._max_programs = max_programs
        self._metrics = metrics
        self._taken = 0

    def refusal(self, programs: int = 1) -> OverloadedError | None:
        """Why there is no place for so many programs now, counted as a request refused; None where there is."""
        if self._taken + programs <= self._max_programs:
            return None
        self._metrics.refused.inc()
        return OverloadedError(
            "overloaded", f"{self._taken} programs are waiting, the queue holds {self._max_programs}; try again"
        )

    @contextmanager
    def take(self, programs: int) -> Iterator[None]:
        """Hold places for `programs` while the body runs.

        Raises:
            TooLargeError: there are never so many places.
            OverloadedError: there are not so many places now.
        """
        if programs > self._max_programs:
            raise TooLargeError(
                "batch_too_large",
                f"a batch has at most {self._max_programs} programs, this one has {programs}; send it in parts",
                details={"programs": programs, "max_programs": self._max_programs},
            )
        if refusal := self.refusal(programs):
            raise refusal
        self._change(programs)
        try:
            yield
        finally:
            self._change(-programs)

    def _change(self, programs: int) -> None:
        self._taken += programs
        self._metrics.queue_depth.set(self._taken)
