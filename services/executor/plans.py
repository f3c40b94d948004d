"""What a test becomes: steps for the child, and checks for the judge on the values that the steps send."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from services.contracts import Assurance
from services.executor.sandbox import Step

Expression = Callable[[Sequence[Any]], Any]
"""What the judge computes from the values of a test's leaves."""


@dataclass(frozen=True, slots=True)
class Check:
    """An expression that must hold once the test's first `needs` values are there."""

    needs: int
    holds: Expression


@dataclass(frozen=True, slots=True)
class Plan:
    """A test, split: the child's steps, and the judge's checks on the values they send."""

    steps: tuple[Step, ...]
    checks: tuple[Check, ...]
    assurance: Assurance

    @property
    def values(self) -> int:
        """How many values the child must send: one a step that is an expression."""
        return sum(kind != "run" for kind, _ in self.steps)
