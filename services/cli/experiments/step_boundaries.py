"""What a step should be: a line, a logical statement, or a block; a PRM for each, measured on common programs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from services.cli.experiments.arms import PrmExperiment, checkpoint_of, trained
from services.cli.experiments.findings import Findings, Grid, spread, write_findings
from services.cli.experiments.labels import label_files
from services.contracts import Segment
from trainer.prm_measure import program_auc

_HEAD = (
    "a step is a",
    "labelled prefixes",
    "accuracy",
    "always the commoner label",
    "balanced accuracy",
    "ROC-AUC of steps",
    "F1 of the first wrong step",
    "ROC-AUC of whole programs",
)


@dataclass(frozen=True)
class StepBoundaries(PrmExperiment):
    """Settings of `linewise experiment step-boundaries`."""

    run_dir: Path = Path("runs/step-boundaries")
    """Where labels, PRMs and report go."""


def step_boundaries(config: StepBoundaries) -> Findings:
    """Label with each kind of step, train PRMs, and measure them on steps of their own and on common programs."""
    requests = {segment.value: config.job(f"steps-{segment.value}", segment=segment) for segment in Segment}
    files = label_files(config.run_dir / "labels", requests)
    rows = [_row(config, segment, files[segment.value], files[Segment.LINE.value]) for segment in Segment]
    note = (
        "Figures of steps are each of its own kind of step, so they compare poorly: longer steps are fewer and show "
        "more. The last column is of the same held-out programs, judged by their lowest score."
    )
    lead = f"{config.problems}, {config.seeds} PRMs for each kind of step; held-out problems."
    grids = [Grid("Kinds of steps", _HEAD, rows, note)]
    return write_findings(Findings("What should a step be?", lead, grids, config.run_dir), config)


def _row(config: StepBoundaries, segment: Segment, labels: Path, programs: Path) -> list[object]:
    runs, of_programs = [], []
    for seed in range(config.seeds):
        prm = config.prm(config.run_dir, segment.value, (labels,), seed)
        runs.append(trained(prm))
        of_programs.append(program_auc(checkpoint_of(prm), replace(prm, labels=(programs,)), segment))
    names: Sequence[str] = ("accuracy", "majority", "balanced_accuracy", "roc_auc", "first_error_f1")
    figures = [spread([run[name] for run in runs]) for name in names]
    return [segment.value, runs[0]["held_out_steps"], *figures, spread(of_programs)]
