"""ProcessBench's measure, by hand: the first step at or below the threshold is the answer."""

import math

import pytest
import torch

from trainer.prm_data import Node, Program
from trainer.prm_figures import ScoredSteps
from trainer.prm_first_error import best_threshold, first_error_report


def node(label: int) -> Node:
    return Node(None, (), 0, labels={label})


def programs_and_scores(programs: list[list[tuple[int, float]]]) -> tuple[list[Program], ScoredSteps]:
    """Programs of `(label, score)` steps, and a model that says just that."""
    nodes = [[node(label) for label, _ in program] for program in programs]
    scores = [score for program in programs for _, score in program]
    steps = [each for program in nodes for each in program]
    logits = torch.tensor([[0.0, math.log(score / (1 - score))] for score in scores])
    labels = torch.tensor([each.label for each in steps])
    kinds = torch.zeros_like(labels)
    return [Program(tuple(each)) for each in nodes], ScoredSteps(
        labels, labels.double(), kinds, steps, ["p"] * len(steps), logits
    )


PROGRAMS = [
    [(1, 0.9), (0, 0.2)],  # found
    [(1, 0.4), (0, 0.2)],  # a right step is accused first
    [(1, 0.9), (0, 0.6)],  # overlooked
    [(0, 0.1)],  # found at once
    [(1, 0.9), (1, 0.8)],  # spared
    [(1, 0.9), (1, 0.45)],  # accused
]


def test_f1_is_the_harmonic_mean_of_both_accuracies() -> None:
    programs, steps = programs_and_scores(PROGRAMS)
    report = first_error_report(programs, steps, temperature=1.0, threshold=0.5)
    assert report is not None
    assert (report.wrong, report.right) == (4, 2)
    assert (report.accuracy_wrong, report.accuracy_right) == (0.5, 0.5)
    assert report.f1 == pytest.approx(0.5)


def test_the_threshold_is_the_one_with_the_best_f1() -> None:
    programs, steps = programs_and_scores(PROGRAMS)
    threshold = best_threshold(programs, steps, temperature=1.0)
    assert threshold is not None and 0.2 <= threshold < 0.4
    report = first_error_report(programs, steps, 1.0, threshold)
    assert report is not None
    assert (report.accuracy_wrong, report.accuracy_right) == (0.75, 1.0)
    assert report.f1 == pytest.approx(2 * 0.75 / 1.75)


def test_suspicion_of_everything_is_worth_nothing() -> None:
    programs, steps = programs_and_scores([[(0, 0.1)], [(1, 0.2)]])
    report = first_error_report(programs, steps, 1.0, 0.5)
    assert report is not None
    assert (report.accuracy_wrong, report.accuracy_right, report.f1) == (1.0, 0.0, 0.0)


def test_programs_of_one_kind_have_no_figure() -> None:
    programs, steps = programs_and_scores([[(1, 0.9)]])
    assert first_error_report(programs, steps, 1.0, 0.5) is None
    assert best_threshold(programs, steps, 1.0) is None
