"""How good probabilities of a binary label are: accuracy, per-class figures, ROC-AUC, calibration.

Pure functions on NumPy arrays: `labels` `[samples]` of 0 and 1, `scores` `[samples]` the probability of 1. A figure
that a sample cannot have (an AUC of one class) is None.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, precision_recall_fscore_support, roc_auc_score
from torch import Tensor
from torch.nn.functional import cross_entropy

Labels = NDArray[np.int64]
Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ClassReport:
    """Precision, recall and F1 of one class, and how many samples have it."""

    precision: float
    recall: float
    f1: float
    count: int


@dataclass(frozen=True, slots=True)
class Bin:
    """A bin of the reliability plot: samples whose score lies in it, their mean score, the share that is positive."""

    low: float
    high: float
    count: int
    mean_score: float | None
    positive: float | None


@dataclass(frozen=True, slots=True)
class Report:
    """Everything said of one set of samples.

    `majority` is the accuracy of always answering the commoner label, `balanced_accuracy` the mean of the two recalls
    (0.5 for any constant answer): the figures that `accuracy` must be judged by.
    """

    count: int
    accuracy: float
    majority: float
    balanced_accuracy: float | None
    negative: ClassReport
    positive: ClassReport
    roc_auc: float | None
    pr_auc_positive: float | None
    pr_auc_negative: float | None
    ece: float
    reliability: list[Bin]


def classification_report(labels: Labels, scores: Scores, threshold: float = 0.5) -> Report:
    """The figures of `scores` at a threshold.

    Raises:
        ValueError: there are no samples.
    """
    if not len(labels):
        raise ValueError("there is nothing to measure: no labelled step")
    answers = (scores > threshold).astype(np.int64)
    precision, recall, f1, count = precision_recall_fscore_support(labels, answers, labels=[0, 1], zero_division=0.0)
    classes = [ClassReport(float(precision[c]), float(recall[c]), float(f1[c]), int(count[c])) for c in (0, 1)]
    both = min(count) > 0
    return Report(
        count=len(labels),
        accuracy=float((answers == labels).mean()),
        majority=float(max(count) / len(labels)),
        balanced_accuracy=float(recall.mean()) if both else None,
        negative=classes[0],
        positive=classes[1],
        roc_auc=float(roc_auc_score(labels, scores)) if both else None,
        pr_auc_positive=float(average_precision_score(labels, scores)) if both else None,
        pr_auc_negative=float(average_precision_score(1 - labels, 1 - scores)) if both else None,
        ece=expected_calibration_error(labels, scores),
        reliability=reliability(labels, scores),
    )


def reliability(labels: Labels, scores: Scores, bins: int = 10) -> list[Bin]:
    """Samples in `bins` equal intervals of [0, 1]; a score of 1 belongs to the last."""
    place = np.minimum((scores * bins).astype(np.int64), bins - 1)
    return [
        Bin(
            low=index / bins,
            high=(index + 1) / bins,
            count=int(inside.sum()),
            mean_score=float(scores[inside].mean()) if inside.any() else None,
            positive=float(labels[inside].mean()) if inside.any() else None,
        )
        for index in range(bins)
        for inside in [place == index]
    ]


def expected_calibration_error(labels: Labels, scores: Scores, bins: int = 10) -> float:
    """The mean distance between score and share of positives, by bin (Naeini et al. 2015)."""
    distances = (
        abs(item.mean_score - item.positive) * item.count
        for item in reliability(labels, scores, bins)
        if item.mean_score is not None and item.positive is not None
    )
    return math.fsum(distances) / len(labels)


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The temperature that logits `[samples, 2]` are divided by for the best likelihood (Guo et al. 2017).

    https://arxiv.org/abs/1706.04599. Searched in [0.05, 20]; no temperature changes which label is likelier.
    """
    limit = math.log(20)
    log_temperature = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([log_temperature], lr=0.1, max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = cross_entropy(logits.double() / log_temperature.clamp(-limit, limit).exp(), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return float(log_temperature.detach().clamp(-limit, limit).exp())
