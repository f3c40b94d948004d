"""A PRM on a frozen backbone: a linear classifier on hidden states that were computed once.

Which layer's hidden states say most is found out: a classifier is fitted at several depths and with several strengths
of L2 penalty, validation chooses, and the layers above the chosen one are dropped. The fit is convex, so no seed and no
learning rate plays a part; the statistics that features are standardised by are folded into its weights. What is left
is a plain token-classification checkpoint, smaller than the backbone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from trainer.prm_config import PrmConfig
from trainer.prm_features import FeatureCache
from trainer.prm_figures import LabelledSteps, ScoredSteps, labelled_steps, with_logits
from trainer.prm_layers import classifier_of, keep_layers, layers_of, normed
from trainer.prm_model import Backbone
from trainer.prm_parts import Part
from trainer.prm_training import kind_weights, step_loss
from trainer.runs import Run

_DEPTHS = 8
_STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1)
"""Inverse strengths of the L2 penalty, as scikit-learn counts them, from strong to weak."""


@dataclass(frozen=True, slots=True)
class Head:
    """A linear classifier: `weight` `[width]` and `bias` of the positive logit; the negative one is 0."""

    depth: int
    strength: float
    weight: Tensor
    bias: float

    def logits(self, features: Tensor) -> Tensor:
        """Logits `[steps, 2]` of normed features `[steps, width]`."""
        positive = features @ self.weight + self.bias
        return torch.stack([torch.zeros_like(positive), positive], dim=1)


class FrozenTraining:
    """Fits the classifier on cached features, and leaves the backbone cut at the chosen depth."""

    def __init__(self, backbone: Backbone, config: PrmConfig, training: Part, validation: Part, run: Run) -> None:
        self.epochs = 0
        self.iterations = 0
        self.seconds = 0.0
        self._backbone = backbone
        self._training = training
        self._validation = validation
        self._run = run
        self._weights = kind_weights(training.packs, balanced=config.balanced)
        self._cache = FeatureCache(backbone, config.feature_cache)
        self._head: Head | None = None

    def fit(self) -> None:
        """Choose depth and penalty by the loss on validation; the model ends with the best."""
        started = monotonic()
        self._head = self._best(depths_to_try(len(layers_of(self._backbone.model))))
        keep_layers(self._backbone.model, self._head.depth)
        _install(self._head, self._backbone.model)
        self.seconds = monotonic() - started

    def score(self, part: Part) -> ScoredSteps:
        """Score every labelled step of a part by its cached features: what the whole model would say."""
        assert self._head is not None
        features = self._features(part, [self._head.depth])
        return with_logits(labelled_steps(part.packs), self._head.logits(features[self._head.depth]))

    def _best(self, depths: Sequence[int]) -> Head:
        """The head with the least validation loss, of all depths and penalties."""
        known, unseen = labelled_steps(self._training.packs), labelled_steps(self._validation.packs)
        known_features = self._features(self._training, depths)
        unseen_features = self._features(self._validation, depths)
        losses: list[tuple[float, Head]] = []
        for depth in depths:
            for head in fit_heads(known_features[depth], known.targets, self._weights[known.kinds], depth):
                losses.append((self._validate(head, unseen_features[depth], unseen), head))
        return min(losses, key=lambda pair: pair[0])[1]

    def _validate(self, head: Head, features: Tensor, steps: LabelledSteps) -> float:
        logits = head.logits(features)
        loss = float(step_loss(logits, steps.labels, self._weights[steps.kinds], steps.targets))
        accuracy = float((logits.argmax(dim=1) == steps.labels).float().mean())
        self.iterations += 1
        figures = {"prm/validation_loss": loss, "prm/validation_accuracy": accuracy}
        self._run.log(self.iterations, {"prm/layers": head.depth, "prm/penalty": head.strength, **figures})
        return loss

    @torch.no_grad()
    def _features(self, part: Part, depths: Sequence[int]) -> dict[int, Tensor]:
        features = self._cache.features(part.packs, depths, part.name)
        return {depth: normed(self._backbone.model, states) for depth, states in features.items()}


def depths_to_try(layers: int) -> list[int]:
    """Up to eight depths, evenly spread, the last among them."""
    count = min(_DEPTHS, layers)
    return sorted({round(layers * (at + 1) / count) for at in range(count)})


def fit_heads(features: Tensor, targets: Tensor, weights: Tensor, depth: int) -> list[Head]:
    """Logistic regressions on `features` `[steps, width]`, one for each strength of penalty.

    `targets` `[steps]` in [0, 1]; a step between counts as both, so much of the one and so much of the other, which is
    the cross-entropy with that target exactly. `weights` `[steps]`: how much each counts.
    """
    mean, spread = features.mean(dim=0), features.std(dim=0).clamp(min=1e-6)
    standard = ((features - mean) / spread).numpy()
    positive, negative = (weights * targets).numpy(), (weights * (1 - targets)).numpy()
    is_one, is_zero = positive > 0, negative > 0
    inputs = np.concatenate([standard[is_one], standard[is_zero]])
    classes = np.concatenate([np.ones(is_one.sum()), np.zeros(is_zero.sum())])
    counted = np.concatenate([positive[is_one], negative[is_zero]])
    fit = LogisticRegression(warm_start=True, max_iter=1000, tol=1e-3)
    heads = []
    for strength in _STRENGTHS:
        fit.set_params(C=strength).fit(inputs, classes, counted)
        weight = torch.from_numpy(fit.coef_[0]).float() / spread
        heads.append(Head(depth, strength, weight, float(fit.intercept_[0]) - float(weight @ mean)))
    return heads


@torch.no_grad()
def _install(head: Head, model: torch.nn.Module) -> None:
    classifier = classifier_of(model)
    classifier.weight.copy_(torch.stack([torch.zeros_like(head.weight), head.weight]))
    classifier.bias.copy_(torch.tensor([0.0, head.bias]))
    model.eval()
