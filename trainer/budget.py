"""How long a run may take, in iterations, in minutes or both, and the learning rate along the way."""

import time


class Budget:
    """Counts iterations and time; whichever limit comes first ends the run. None = no limit of that kind."""

    def __init__(self, iterations: int | None, minutes: float | None, *, done: int = 0, spent_s: float = 0.0) -> None:
        self.done = done
        self._iterations = iterations
        self._minutes = minutes
        self._started = time.monotonic() - spent_s

    @property
    def seconds(self) -> float:
        """Time spent, that of resumed parts included."""
        return time.monotonic() - self._started

    @property
    def fraction(self) -> float:
        """How much of the budget is spent, in [0, 1]; 0 for ever where there is no limit."""
        minutes = self.seconds / 60
        return max(_share(self.done, self._iterations), _share(minutes, self._minutes))

    @property
    def exhausted(self) -> bool:
        """True once a limit is reached."""
        return self.fraction >= 1


def _share(spent: float, limit: float | None) -> float:
    if limit is None:
        return 0.0
    return min(1.0, spent / limit) if limit > 0 else 1.0


def rate_factor(done: int, fraction: float, *, warmup: int, decay: float) -> float:
    """The learning rate's factor, in [0, 1], for the iteration behind `done` others at `fraction` of the budget.

    It rises linearly over `warmup` iterations, stays at 1, and falls linearly to a tenth over the last share `decay`.
    """
    rising = min(1.0, (done + 1) / max(1, warmup))
    falling = min(1.0, (1 - fraction) / decay) if decay else 1.0
    return rising * (0.1 + 0.9 * falling)
