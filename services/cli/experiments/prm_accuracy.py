"""How accurate a PRM is on problems that it never saw: the paper says some 80 %."""

from dataclasses import dataclass
from pathlib import Path

from services.cli.experiments.arms import PrmExperiment, trained
from services.cli.experiments.findings import Findings, Grid, spread, write_findings
from services.cli.experiments.labels import label_files

_FIGURES = {
    "accuracy": "accuracy",
    "majority": "always the commoner label",
    "balanced_accuracy": "balanced accuracy",
    "f1_negative": "F1, wrong steps",
    "f1_positive": "F1, right steps",
    "roc_auc": "ROC-AUC",
    "pr_auc_negative": "PR-AUC, wrong steps",
    "ece": "calibration error (ECE)",
    "mutants_accuracy": "accuracy, mutants against references",
    "mutants_roc_auc": "ROC-AUC, mutants against references",
    "first_error_f1": "F1 of the first wrong step (ProcessBench)",
}


@dataclass(frozen=True)
class PrmAccuracy(PrmExperiment):
    """Settings of `linewise experiment prm-accuracy`."""

    run_dir: Path = Path("runs/prm-accuracy")
    """Where labels, PRMs and report go."""


def prm_accuracy(config: PrmAccuracy) -> Findings:
    """Label, train a PRM with each seed, and report its figures on held-out problems."""
    labels = label_files(config.run_dir / "labels", {"labels": config.job("prm-accuracy")})["labels"]
    runs = [trained(config.prm(config.run_dir, "prm", (labels,), seed)) for seed in range(config.seeds)]
    rows = [
        [title, *(run[name] for run in runs), spread([run[name] for run in runs])] for name, title in _FIGURES.items()
    ]
    head = ("held-out steps", *(f"seed {seed}" for seed in range(config.seeds)), "mean ± deviation")
    note = (
        "Each distinct program prefix of a held-out problem counts once. Judge accuracy by what always answering the "
        "commoner label reaches, and by the AUC."
    )
    problems = f"{runs[0]['train_problems']} problems to learn from, {runs[0]['held_out_problems']} held out"
    lead = f"{config.problems}: {problems}, {runs[0]['held_out_steps']} distinct labelled prefixes of these."
    grid = Grid("Figures", head, rows, note)
    return write_findings(Findings("How accurate is the PRM?", lead, [grid], config.run_dir), config)
