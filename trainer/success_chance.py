"""From a PRM's scores to the chance that a policy's program passes, after each of its steps.

A PRM that learnt from mutants says whether a line looks right, not how often a policy succeeds from there. Two logistic
regressions tell it that, of programs under way and of whole ones, on three figures of the scores so far: the sum of
their logarithms, the logarithm of the smallest, and how many there are. They are fitted to verdicts of programs that
the policy wrote. So few parameters on purpose: what a reward has learnt by heart, PPO exploits.
"""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path
from typing import Self

from sklearn.linear_model import LogisticRegression

from trainer.runs import write_text

_SMALLEST = 1e-3
"""Scores below it count as it."""

Weights = tuple[float, float, float, float]
"""The intercept, and those of the three figures."""


@dataclass(frozen=True, slots=True)
class SuccessChance:
    """The weights for programs `under_way` and for those that are `whole`."""

    under_way: Weights
    whole: Weights

    @classmethod
    def fit(cls, programs: Iterable[tuple[Sequence[float], bool]]) -> Self:
        """From programs' scores, step by step, and whether they pass; those without a step say nothing.

        Where all of them pass, or none does, the chance is the same everywhere, by Laplace's rule of succession.
        """
        known = [(_figures(scores), passed) for scores, passed in programs if scores]
        under_way = [(row, passed) for rows, passed in known for row in rows[:-1]]
        return cls(_fitted(under_way), _fitted([(rows[-1], passed) for rows, passed in known]))

    def of(self, scores: Sequence[float]) -> list[float]:
        """The chance after each step of a whole program, in (0, 1)."""
        rows = _figures(scores)
        return [_chance(self.whole if at == len(rows) else self.under_way, row) for at, row in enumerate(rows, start=1)]

    def save(self, file: Path) -> None:
        """Write the weights as JSON."""
        write_text(file, json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def load(cls, file: Path) -> Self:
        """Read what `save` wrote."""
        weights = json.loads(file.read_text(encoding="utf-8"))
        return cls(tuple(weights["under_way"]), tuple(weights["whole"]))


def _figures(scores: Sequence[float]) -> list[tuple[float, float, float]]:
    logs = [math.log(max(score, _SMALLEST)) for score in scores]
    return list(zip(accumulate(logs), accumulate(logs, min), map(float, range(1, len(logs) + 1)), strict=True))


def _fitted(rows: Sequence[tuple[tuple[float, float, float], bool]]) -> Weights:
    verdicts = [passed for _, passed in rows]
    if len(set(verdicts)) < 2:
        return math.log((sum(verdicts) + 1) / (len(verdicts) - sum(verdicts) + 1)), 0.0, 0.0, 0.0
    model = LogisticRegression(max_iter=1000).fit([figures for figures, _ in rows], verdicts)
    first, second, third = model.coef_[0].tolist()
    return float(model.intercept_[0]), first, second, third


def _chance(weights: Weights, figures: tuple[float, float, float]) -> float:
    intercept, *rest = weights
    return 1 / (1 + math.exp(-intercept - sum(weight * figure for weight, figure in zip(rest, figures, strict=True))))
