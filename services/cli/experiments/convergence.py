"""Does a PRM learn sooner than an outcome reward model? Both from the same programs, more of them each time.

The outcome reward model (ORM) is the same kind of model, taught the verdict of the compiler and the tests on each
whole program, where the PRM is taught which line is right and which is wrong. Each is then asked of held-out problems'
programs whether they are right, the PRM by its lowest score, the ORM by its last; and of their lines.
"""

import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from services.cli.errors import UsageError
from services.cli.experiments.arms import PrmExperiment, checkpoint_of, trained
from services.cli.experiments.findings import Findings, Grid, Spread, spread, write_findings
from services.cli.experiments.labels import label_files
from services.cli.experiments.outcome_labels import outcome_labels
from services.contracts import AggregateForm, LabelRecord, Segment
from trainer.plots import Band, bands
from trainer.prm_config import PrmConfig
from trainer.prm_data import Split, read_labels, split_by_problem
from trainer.prm_measure import measure_steps, program_auc
from trainer.problems.files import write_jsonl
from trainer.report_page import broad

_HEAD = (
    "model",
    "problems",
    "programs",
    "labels",
    "accuracy on its own labels",
    "always the commoner label",
    "ROC-AUC of whole programs",
    "ROC-AUC of steps",
)
_OF_PROGRAMS, _OF_STEPS = _HEAD[-2:]


@dataclass(frozen=True)
class Convergence(PrmExperiment):
    """Settings of `linewise experiment convergence`."""

    shares: tuple[float, ...] = (0.125, 0.25, 0.5, 1.0)
    """Of the problems to learn from; each share of a seed holds the smaller ones."""
    run_dir: Path = Path("runs/convergence")
    """Where labels, models and report go."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of reward model: what it learns of labelled programs, and how it judges a whole one."""

    name: str
    labels: Callable[[Iterable[LabelRecord]], Iterable[LabelRecord]]
    form: AggregateForm


_KINDS = (_Kind("PRM", lambda records: records, AggregateForm.MIN), _Kind("ORM", outcome_labels, AggregateForm.LAST))


def convergence(config: Convergence) -> Findings:
    """Label once; for each share of the problems and each seed train both, and measure them on held-out problems.

    Raises:
        UsageError: a share is not above 0 and at most 1.
    """
    shares = sorted(set(config.shares))
    if not shares or shares[0] <= 0 or shares[-1] > 1:
        raise UsageError("--shares wants numbers above 0 and at most 1.")
    truth = label_files(config.run_dir / "labels", {"labels": config.job("convergence")})["labels"]
    split = split_by_problem(read_labels([truth]), config.held_out, PrmConfig.validation)
    rows = [_row(config, kind, share, split, truth) for kind in _KINDS for share in shares]
    note = (
        f"Held-out problems; means and standard deviations of {config.seeds} seeds, each with problems of its own but "
        "for the last share. A label is a distinct program prefix. The accuracies are of different questions and don't "
        "compare; the last two columns are of the same programs and the same steps."
    )
    grids = [Grid("Figures", _HEAD, rows, note), _sooner(rows)]
    lead = f"{config.problems}: a PRM and an outcome reward model (ORM), taught by the same programs."
    plots = broad(
        bands(title, _curves(rows, title), "programs learnt from", "ROC-AUC") for title in (_OF_PROGRAMS, _OF_STEPS)
    )
    return write_findings(Findings("Does a PRM learn sooner?", lead, grids, config.run_dir, plots), config)


def _row(config: Convergence, kind: _Kind, share: float, split: Split, truth: Path) -> list[Any]:
    runs, programs, of_programs, of_steps = [], [], [], []
    for seed in range(config.seeds):
        train = _share_of(split.train, share, seed)
        name = f"{kind.name.lower()}-{share:g}"
        labels = config.run_dir / "labels" / f"{truth.stem}-{name}-{seed}.jsonl"
        write_jsonl(labels, kind.labels([*train, *split.validation, *split.held_out]))
        model = config.prm(config.run_dir, name, (labels,), seed)
        runs.append(trained(model))
        programs.append(len(train))
        on_truth = replace(model, labels=(truth,))
        of_programs.append(program_auc(checkpoint_of(model), on_truth, Segment.LINE, kind.form))
        of_steps.append(measure_steps(checkpoint_of(model), on_truth)["all"].roc_auc)
    own = [spread([run[figure] for run in runs]) for figure in ("train_steps", "accuracy", "majority")]
    labels_seen = round(own[0].mean) if own[0] else None
    counts = [runs[0]["train_problems"], round(sum(programs) / len(programs)), labels_seen]
    return [kind.name, *counts, *own[1:], spread(of_programs), spread(of_steps)]


def _share_of(records: Sequence[LabelRecord], share: float, seed: int) -> list[LabelRecord]:
    """The records of a share of the problems, at least one, in the seed's order of problems."""
    problems = sorted({record.problem_id for record in records})
    random.Random(seed).shuffle(problems)
    kept = set(problems[: max(1, round(share * len(problems)))])
    return [record for record in records if record.problem_id in kept]


def _sooner(rows: Sequence[Sequence[Any]]) -> Grid:
    """With how many programs each first judges as well as the ORM does in the end."""
    found: list[list[Any]] = []
    for title in (_OF_PROGRAMS, _OF_STEPS):
        curves = _curves(rows, title)
        goal = curves["ORM"][-1][1]
        reached = [next((programs for programs, mean, *_ in curve if mean >= goal), None) for curve in curves.values()]
        found.append([title, goal, *reached])
    return Grid("How soon", ("figure", "ORM in the end", *(f"programs, {kind.name}" for kind in _KINDS)), found)


def _curves(rows: Sequence[Sequence[Any]], title: str) -> dict[str, Band]:
    """A column over the programs learnt from, one standard deviation either way, by kind of model."""
    curves: dict[str, Band] = {}
    for kind in _KINDS:
        points = [(row[_HEAD.index("programs")], row[_HEAD.index(title)]) for row in rows if row[0] == kind.name]
        curves[kind.name] = [(programs, *_edges(figure)) for programs, figure in points]
    return curves


def _edges(figure: Spread | None) -> tuple[float, float, float]:
    if figure is None:
        return math.nan, math.nan, math.nan
    deviation = figure.deviation or 0.0
    return figure.mean, figure.mean - deviation, figure.mean + deviation
