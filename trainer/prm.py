"""Phase 3, the process reward model: a causal classifier that scores each step of a program.

From label files to a plain Hugging Face token-classification folder, which the scorer serves as it is. Problems are
split by the sha256 of their ids into training, validation (early stop, temperature) and held-out (every figure that is
reported). The parts: `prm_data` (labels as trees of steps), `prm_tree` (trees as tensors), `prm_parts` (the split),
`prm_model` and `prm_layers` (backbones), `prm_training` (the loop), `prm_frozen` and `prm_features` (a classifier on a
frozen backbone), `prm_states` (training behind frozen layers), `prm_figures` and `prm_first_error` (what is measured),
`prm_golden` (what a loaded copy must say).

    linewise train prm --labels labels.jsonl --run-dir runs/prm
    linewise train prm --labels labels.jsonl --backbone smollm2 --freeze
    linewise train prm --labels labels.jsonl --backbone smollm2 --layers 8 --freeze-layers 6 --no-balanced
"""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Protocol

import torch

from services.contracts import Calibration, LabelRecord, Origin
from trainer.classification import Report, fit_temperature
from trainer.errors import SettingsError
from trainer.prm_config import PrmConfig, PrmSummary
from trainer.prm_data import read_labels, split_by_problem
from trainer.prm_figures import AGAINST_REFERENCES, ScoredSteps, held_out_reports
from trainer.prm_first_error import FirstErrorReport, best_threshold, first_error_report
from trainer.prm_frozen import FrozenTraining
from trainer.prm_golden import golden_scores
from trainer.prm_layers import keep_layers
from trainer.prm_model import Backbone, build_backbone
from trainer.prm_parts import Part, Parts, prepare
from trainer.prm_states import compute_ahead, freeze_below
from trainer.prm_training import PrmTraining
from trainer.report import write_report
from trainer.runs import Run, replacing

__all__ = ["PrmConfig", "PrmSummary", "train_prm"]


class _Training(Protocol):
    """What learns: the whole model, or a classifier on a frozen one."""

    epochs: int
    seconds: float

    @property
    def iterations(self) -> int:
        """Batches learnt from, or classifiers fitted."""

    def fit(self) -> None:
        """Learn; the backbone's model ends with the best weights."""

    def score(self, part: Part) -> ScoredSteps:
        """What the model says of every labelled step of a part."""


def train_prm(config: PrmConfig) -> PrmSummary:
    """Train a PRM on label files, measure it on held-out problems and save it.

    Raises:
        ProblemFileError: a label file cannot be read; it names the line.
        SettingsError: a part of the split has no labels, or the checkpoint would replace the run's folder.
        PolicyError: the backbone cannot be had.
    """
    if config.checkpoint and config.run_dir.resolve().is_relative_to(config.checkpoint.resolve()):
        raise SettingsError(f"the checkpoint would replace the run in {config.checkpoint}; choose another folder")
    if config.freeze and config.freeze_layers:
        raise SettingsError("--freeze trains a classifier alone, --freeze-layers the layers above: give one of them")
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    split = split_by_problem(read_labels(config.labels), config.held_out, config.validation)
    backbone = build_backbone(config.backbone, _texts(split.train), config.vocabulary, config.dropout)
    if config.layers is not None:
        keep_layers(backbone.model, config.layers)
    backbone.model.to(config.device)
    if config.freeze_layers:
        backbone = freeze_below(backbone, config.freeze_layers, config.feature_cache)
    parts = prepare(split, backbone, config)
    for part in (parts.train, parts.validation, parts.held_out):
        compute_ahead(backbone, part.packs, part.name)
    with Run(config.run_dir) as run:
        run.write_config(config)
        make = FrozenTraining if config.freeze else PrmTraining
        training: _Training = make(backbone, config, parts.train, parts.validation, run)
        training.fit()
        validation, held_out = training.score(parts.validation), training.score(parts.held_out)
        temperature = fit_temperature(validation.logits, validation.labels)
        reports = held_out_reports(held_out, temperature)
        run.write_json("held_out.json", {name: asdict(report) for name, report in reports.items()})
        threshold = best_threshold(parts.validation.programs, validation, temperature)
        first_error = {
            name: first_error_report(parts.held_out.programs, held_out, temperature, each)
            for name, each in (("at_half", 0.5), ("at_validation_threshold", threshold))
            if each is not None
        }
        run.write_json("first_error.json", first_error)
        summary = _summary(config, run, backbone, parts, training, temperature, reports, [*first_error.values()][-1])
        with replacing(summary.checkpoint) as folder:
            overall = reports["all"]
            golden = golden_scores(backbone, split.held_out, temperature, config.seed)
            backbone.save(folder, temperature, _calibration(overall), _headline(overall), golden)
        run.write_json("summary.json", summary)
        write_report(run.folder)
    return summary


def _texts(records: Iterable[LabelRecord]) -> Iterable[str]:
    """What a tokenizer is learnt from: prompts and reference solutions of the training problems."""
    for record in records:
        if record.origin is Origin.REFERENCE:
            yield f"{record.prompt}\n{record.code}"


def _calibration(report: Report) -> Calibration:
    """What a checkpoint says of its calibrated scores, measured now on held-out labels."""
    now = datetime.now(UTC).replace(microsecond=0)
    return Calibration(date=now, labels=report.count, accuracy=report.accuracy, ece=report.ece)


def _headline(report: Report) -> dict[str, float | None]:
    """The figures that a checkpoint carries in its `config.json`."""
    return {
        "accuracy": report.accuracy,
        "majority": report.majority,
        "balanced_accuracy": report.balanced_accuracy,
        "f1_positive": report.positive.f1,
        "f1_negative": report.negative.f1,
        "roc_auc": report.roc_auc,
        "ece": report.ece,
    }


def _summary(
    config: PrmConfig,
    run: Run,
    backbone: Backbone,
    parts: Parts,
    training: _Training,
    temperature: float,
    reports: dict[str, Report],
    first_error: FirstErrorReport | None,
) -> PrmSummary:
    overall, changed, mutants = reports["all"], reports.get("changed"), reports.get(AGAINST_REFERENCES)
    return PrmSummary(
        checkpoint=config.checkpoint or run.checkpoint("final"),
        backbone=config.backbone,
        layers=int(backbone.model.config.num_hidden_layers),
        parameters=int(backbone.model.num_parameters()),
        train_problems=parts.train.problems,
        validation_problems=parts.validation.problems,
        held_out_problems=parts.held_out.problems,
        train_steps=sum(len(pack.steps) for pack in parts.train.packs),
        held_out_steps=overall.count,
        left_out_programs=sum(part.left_out for part in (parts.train, parts.validation, parts.held_out)),
        iterations=training.iterations,
        epochs=training.epochs,
        seconds=training.seconds,
        temperature=temperature,
        accuracy=overall.accuracy,
        majority=overall.majority,
        balanced_accuracy=overall.balanced_accuracy,
        f1_positive=overall.positive.f1,
        f1_negative=overall.negative.f1,
        roc_auc=overall.roc_auc,
        pr_auc_positive=overall.pr_auc_positive,
        pr_auc_negative=overall.pr_auc_negative,
        ece=overall.ece,
        changed_accuracy=changed.accuracy if changed else None,
        mutants_accuracy=mutants.accuracy if mutants else None,
        mutants_roc_auc=mutants.roc_auc if mutants else None,
        first_error_f1=first_error.f1 if first_error else None,
        first_error_threshold=first_error.threshold if first_error else None,
    )
