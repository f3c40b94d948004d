"""Arms side by side: each PRM measured on the same held-out labels, whatever it was trained on."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from services.cli.experiments.arms import PrmExperiment, checkpoint_of, trained
from services.cli.experiments.findings import Grid, spread
from trainer.classification import Report
from trainer.prm_figures import AGAINST_REFERENCES
from trainer.prm_measure import measure_steps

HEAD = (
    "labels learnt from",
    "accuracy",
    "always the commoner label",
    "balanced accuracy",
    "ROC-AUC",
    "ROC-AUC, mutants against references",
    "F1, wrong steps",
    "ECE",
)


def compare_arms(config: PrmExperiment, folder: Path, arms: Mapping[str, Path], truth: Path) -> Grid:
    """PRMs of all seeds on each arm's labels, and what they say of the held-out steps in `truth`."""
    rows = [[name, *map(spread, _figures(config, folder, name, labels, truth))] for name, labels in arms.items()]
    note = (
        f"Mean and standard deviation of an arm's PRMs (seeds: {config.seeds}), all measured on the labels of the "
        "strongest tests on the same held-out problems; each distinct program prefix counts once."
    )
    return Grid("What PRMs learn from them", HEAD, rows, note)


def _figures(config: PrmExperiment, folder: Path, name: str, labels: Path, truth: Path) -> list[list[float | None]]:
    """A list of seeds for each figure."""
    by_seed = []
    for seed in range(config.seeds):
        prm = config.prm(folder, name.replace(" ", "-"), (labels,), seed)
        trained(prm)
        by_seed.append(_row(measure_steps(checkpoint_of(prm), replace(prm, labels=(truth,)))))
    return [list(figure) for figure in zip(*by_seed, strict=True)]


def _row(reports: Mapping[str, Report]) -> list[float | None]:
    steps, mutants = reports["all"], reports.get(AGAINST_REFERENCES)
    return [
        steps.accuracy,
        steps.majority,
        steps.balanced_accuracy,
        steps.roc_auc,
        mutants.roc_auc if mutants else None,
        steps.negative.f1,
        steps.ece,
    ]
