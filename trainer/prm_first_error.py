"""Finding the first wrong line: ProcessBench's measure (https://arxiv.org/abs/2412.06559).

A PRM's answer for a program is its first step with a score at or below a threshold, or none. On wrong programs the
answer is right where it is the wrong step, on right ones where it is none; F1 is the harmonic mean of the two
accuracies, so that neither suspicion nor trust pays. Each distinct program counts once.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from trainer.prm_data import Program
from trainer.prm_figures import ScoredSteps

_THRESHOLDS = tuple(percent / 100 for percent in range(1, 100))


@dataclass(frozen=True, slots=True)
class FirstErrorReport:
    """How often the answer was right at `threshold`, on so many wrong and so many right programs."""

    threshold: float
    wrong: int
    right: int
    accuracy_wrong: float
    accuracy_right: float
    f1: float


@dataclass(frozen=True, slots=True)
class _Judged:
    """Of each program the lowest score of its right steps (1 without any), and the wrong step's (None without)."""

    lowest: float
    wrong: float | None


def first_error_report(
    programs: Iterable[Program], scored: ScoredSteps, temperature: float, threshold: float
) -> FirstErrorReport | None:
    """The figures of `programs`, all of whose steps are in `scored`; None without programs of both kinds."""
    return _report(_judge(programs, scored, temperature), threshold)


def best_threshold(programs: Iterable[Program], scored: ScoredSteps, temperature: float) -> float | None:
    """The threshold, in whole percents, with the best F1; None without programs of both kinds."""
    judged = _judge(programs, scored, temperature)
    reports = [report for threshold in _THRESHOLDS if (report := _report(judged, threshold))]
    return max(reports, key=lambda report: report.f1).threshold if reports else None


def _judge(programs: Iterable[Program], scored: ScoredSteps, temperature: float) -> list[_Judged]:
    score_of = dict(zip(map(id, scored.steps), scored.probabilities(temperature).tolist(), strict=True))
    judged = []
    for program in programs:
        scores = [score_of[id(step)] for step in program.steps]
        wrong = scores.pop() if program.wrong else None
        judged.append(_Judged(min(scores, default=1.0), wrong))
    return judged


def _report(judged: Sequence[_Judged], threshold: float) -> FirstErrorReport | None:
    found = [each.wrong <= threshold < each.lowest for each in judged if each.wrong is not None]
    spared = [threshold < each.lowest for each in judged if each.wrong is None]
    if not found or not spared:
        return None
    on_wrong, on_right = float(np.mean(found)), float(np.mean(spared))
    f1 = 2 * on_wrong * on_right / (on_wrong + on_right) if on_wrong + on_right else 0.0
    return FirstErrorReport(threshold, len(found), len(spared), on_wrong, on_right, f1)
