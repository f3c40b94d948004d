"""Figures of a classifier, by hand."""

import numpy as np
import pytest
import torch

from trainer.classification import (
    classification_report,
    expected_calibration_error,
    fit_temperature,
    reliability,
)

LABELS = np.array([1, 1, 1, 0, 0])
SCORES = np.array([0.9, 0.8, 0.3, 0.6, 0.1])


def test_figures_of_five_steps() -> None:
    report = classification_report(LABELS, SCORES)
    assert report.accuracy == pytest.approx(3 / 5)
    assert report.majority == pytest.approx(3 / 5)
    assert report.balanced_accuracy == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert (report.positive.precision, report.positive.recall) == pytest.approx((2 / 3, 2 / 3))
    assert (report.negative.precision, report.negative.recall) == pytest.approx((1 / 2, 1 / 2))
    assert report.roc_auc == pytest.approx(5 / 6)  # one of the six pairs, .3 against .6, is the wrong way round


def test_a_constant_answer_has_a_balanced_accuracy_of_a_half() -> None:
    report = classification_report(LABELS, np.ones(5))
    assert report.accuracy == report.majority
    assert report.balanced_accuracy == 0.5


def test_one_class_alone_has_no_auc() -> None:
    report = classification_report(np.ones(3, dtype=np.int64), SCORES[:3])
    assert report.roc_auc is None and report.balanced_accuracy is None
    assert report.accuracy == pytest.approx(2 / 3)


def test_nothing_to_measure_raises() -> None:
    with pytest.raises(ValueError, match="nothing to measure"):
        classification_report(np.array([], dtype=np.int64), np.array([]))


def test_calibration_by_hand() -> None:
    labels, scores = np.array([1, 0, 1, 1]), np.array([0.55, 0.55, 1.0, 0.95])
    bins = reliability(labels, scores)
    assert [item.count for item in bins] == [0, 0, 0, 0, 0, 2, 0, 0, 0, 2]
    assert bins[5].positive == 0.5 and bins[9].mean_score == pytest.approx(0.975)
    assert expected_calibration_error(labels, scores) == pytest.approx((2 * 0.05 + 2 * 0.025) / 4)


def test_the_temperature_undoes_a_known_overconfidence() -> None:
    generator = torch.Generator().manual_seed(0)
    honest = torch.randn(20_000, generator=generator) * 2
    labels = (torch.rand(20_000, generator=generator) < honest.sigmoid()).long()
    logits = torch.stack([torch.zeros_like(honest), honest * 3], dim=1)
    assert fit_temperature(logits, labels) == pytest.approx(3, rel=0.05)


def test_the_temperature_is_finite_where_the_labels_are_separated() -> None:
    logits = torch.tensor([[2.0, 0.0], [0.0, 2.0]])
    assert 0.05 <= fit_temperature(logits, torch.tensor([0, 1])) < 0.5
