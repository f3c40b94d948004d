"""Labels by a problem's own tests against labels by augmented tests: how many are wrong, and what a PRM makes of it."""

from dataclasses import dataclass
from pathlib import Path

from services.cli.experiments.arms import PrmExperiment
from services.cli.experiments.comparing import compare_arms
from services.cli.experiments.findings import Findings, Grid, write_findings
from services.cli.experiments.labels import label_files
from services.cli.experiments.weaker_tests import killed, relabelled_file
from services.contracts import KilledBy, LabelRecord, Origin
from trainer.problems.files import read_models


@dataclass(frozen=True)
class AugmentedLabels(PrmExperiment):
    """Settings of `linewise experiment labels-augmented-vs-original`."""

    run_dir: Path = Path("runs/labels-augmented-vs-original")
    """Where labels, PRMs and report go."""


def augmented_labels(config: AugmentedLabels) -> Findings:
    """Label once with augmented tests, derive what the problems' own tests would have said, train PRMs on each."""
    folder = config.run_dir / "labels"
    truth = label_files(folder, {"augmented": config.job("augmented-labels")})["augmented"]
    records = list(read_models(truth, LabelRecord))
    by_own_tests = killed(record for record in records if record.killed_by is KilledBy.BASE)
    arms = {
        "augmented tests": truth,
        "own tests, survivors unlabelled": relabelled_file(
            truth, by_own_tests, "unlabelled", folder / f"{truth.stem}-own-unlabelled.jsonl"
        ),
        "own tests, survivors positive": relabelled_file(
            truth, by_own_tests, "positive", folder / f"{truth.stem}-own-positive.jsonl"
        ),
    }
    grids = [_labels(records), compare_arms(config, config.run_dir, arms, truth)]
    lead = f"{config.problems}, up to {config.augmented_tests} new tests a problem beside its own."
    return write_findings(Findings("Labels by augmented and by original tests", lead, grids, config.run_dir), config)


def _labels(records: list[LabelRecord]) -> Grid:
    mutants = [record for record in records if record.origin is Origin.MUTATION]
    rescued = [record for record in mutants if record.killed_by is KilledBy.AUGMENTED]
    rows: list[list[object]] = [
        ["mutants found wrong", len(mutants)],
        ["of them by the problems' own tests", len(mutants) - len(rescued)],
        ["of them by augmented tests alone", len(rescued)],
        ["share that own tests let pass", len(rescued) / len(mutants) if mutants else None],
        ["problems with such a mutant", len({record.problem_id for record in rescued})],
    ]
    note = (
        "A mutant that own tests let pass has a positive label for a wrong step where survivors count as right; where "
        "they do not, a negative label is lost."
    )
    return Grid("Labels", ("mutants", "count"), rows, note)
