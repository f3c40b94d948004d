"""What a PRM's scores of labelled steps come to: by set of problems, by origin and by operator.

A mutant's changed step against the reference's own steps is the hard and honest comparison: a refactored step can
often be told by its style. So figures come for all steps, for mutants against references, and for each origin alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from services.contracts import Origin
from trainer.classification import Report, Scores, classification_report
from trainer.prm_data import Node
from trainer.prm_model import Backbone
from trainer.prm_tree import IGNORED, Pack, make_batches

AGAINST_REFERENCES = "mutants against references"
_FEWEST = 5


@dataclass(frozen=True, slots=True)
class LabelledSteps:
    """The labelled steps of some packs, in order: `labels`, `targets` and `kinds` are `[steps]`, as in `Pack`."""

    labels: Tensor
    targets: Tensor
    kinds: Tensor
    steps: list[Node]
    groups: list[str]


@dataclass(frozen=True, slots=True)
class ScoredSteps(LabelledSteps):
    """Labelled steps and the model's word on them: `logits` `[steps, 2]`."""

    logits: Tensor

    def probabilities(self, temperature: float) -> Scores:
        """The calibrated scores `[steps]`."""
        return (self.logits / temperature).softmax(dim=1)[:, 1].double().numpy()


def labelled_steps(packs: Sequence[Pack]) -> LabelledSteps:
    """What the packs say of their labelled steps."""
    labels, targets, kinds = (
        torch.cat([getattr(pack, name)[pack.labels != IGNORED] for pack in packs])
        for name in ("labels", "targets", "kinds")
    )
    steps = [step for pack in packs for step in pack.steps]
    groups = [pack.group for pack in packs for _ in pack.steps]
    return LabelledSteps(labels, targets, kinds, steps, groups)


@torch.no_grad()
def score_steps(backbone: Backbone, packs: Sequence[Pack], batch_tokens: int) -> ScoredSteps:
    """Score every labelled step of `packs` by passes of the model."""
    backbone.model.eval()
    logits: list[Tensor] = []
    in_order: list[Pack] = []
    for batch_of in make_batches(packs, batch_tokens):
        batch = backbone.batch(batch_of)
        logits.append(backbone.forward(batch).logits[batch.labels != IGNORED].float().cpu())
        in_order += batch_of
    return with_logits(labelled_steps(in_order), torch.cat(logits))


def with_logits(steps: LabelledSteps, logits: Tensor) -> ScoredSteps:
    """`steps` with the logits `[steps, 2]` of a model."""
    return ScoredSteps(steps.labels, steps.targets, steps.kinds, steps.steps, steps.groups, logits)


def held_out_reports(scored: ScoredSteps, temperature: float) -> dict[str, Report]:
    """Reports by name: `all`, `uncalibrated` (temperature 1), `changed`, `set:*`, `origin:*`, `operator:*`, and
    `mutants against references`, which leaves out refactored programs.

    A selection with fewer than 5 steps has no report.
    """
    scores = scored.probabilities(temperature)
    labels = scored.labels.numpy()
    reports = {
        "all": classification_report(labels, scores),
        "uncalibrated": classification_report(labels, scored.probabilities(1.0)),
    }
    for name, places in _selections(scored).items():
        if len(places) >= _FEWEST:
            reports[name] = classification_report(labels[places], scores[places])
    return reports


def _selections(scored: ScoredSteps) -> dict[str, NDArray[np.int64]]:
    """Which steps each further report is about."""
    places: dict[str, list[int]] = {}
    for at, (step, group) in enumerate(zip(scored.steps, scored.groups, strict=True)):
        names = [f"set:{group}", f"origin:{step.origin}"]
        if step.changed:
            names += ["changed", f"changed, set:{group}"]
        if step.origin in (Origin.REFERENCE, Origin.MUTATION):
            names += [AGAINST_REFERENCES, f"{AGAINST_REFERENCES}, set:{group}"]
        if step.operator and step.origin is Origin.MUTATION:
            names.append(f"operator:{step.operator}")
        for name in names:
            places.setdefault(name, []).append(at)
    return {name: np.array(places[name]) for name in sorted(places)}
