"""Phase 3, the process reward model: a causal classifier that scores each step of a program.

From label files to a plain Hugging Face token-classification folder, which the scorer serves as it is. Problems are
split by the sha256 of their ids into training, validation (early stop, temperature) and held-out (every figure that is
reported). The parts: `prm_data` (labels as trees of steps), `prm_tree` (trees as tensors), `prm_model` (backbones),
`prm_training` (the loop), `prm_figures` (what is measured), `prm_golden` (what a loaded copy must say).

    linewise train prm --labels labels.jsonl --run-dir runs/prm
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import torch

from services.contracts import Calibration, LabelRecord, Origin
from trainer.classification import Report, fit_temperature
from trainer.errors import SettingsError
from trainer.prm_config import PrmConfig, PrmSummary
from trainer.prm_data import Split, Tree, build_trees, memoised, read_labels, split_by_problem
from trainer.prm_figures import AGAINST_REFERENCES, held_out_reports, score_steps
from trainer.prm_golden import golden_scores
from trainer.prm_model import Backbone, build_backbone
from trainer.prm_training import PrmTraining
from trainer.prm_tree import Pack, pack_tree
from trainer.report import write_report
from trainer.runs import Run, replacing

__all__ = ["PrmConfig", "PrmSummary", "train_prm"]

_PACK_TOKENS = 1024


@dataclass(frozen=True, slots=True)
class _Data:
    """Packs of the three parts, and how many problems each has."""

    train: list[Pack]
    validation: list[Pack]
    held_out: list[Pack]
    problems: list[int]
    left_out: int


def train_prm(config: PrmConfig) -> PrmSummary:
    """Train a PRM on label files, measure it on held-out problems and save it.

    Raises:
        ProblemFileError: a label file cannot be read; it names the line.
        SettingsError: a part of the split has no labels, or the checkpoint would replace the run's folder.
        PolicyError: the backbone cannot be had.
    """
    if config.checkpoint and config.run_dir.resolve().is_relative_to(config.checkpoint.resolve()):
        raise SettingsError(f"the checkpoint would replace the run in {config.checkpoint}; choose another folder")
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    split = split_by_problem(read_labels(config.labels), config.held_out, config.validation)
    backbone = build_backbone(config.backbone, _texts(split.train), config.vocabulary, config.dropout)
    backbone.model.to(config.device)
    data = _prepare(split, backbone, config)
    with Run(config.run_dir) as run:
        run.write_config(config)
        training = PrmTraining(backbone, config, data.train, data.validation, run)
        training.fit()
        validation = score_steps(backbone, data.validation, config.batch_tokens)
        temperature = fit_temperature(validation.logits, validation.labels)
        held_out = score_steps(backbone, data.held_out, config.batch_tokens)
        reports = held_out_reports(held_out, temperature)
        run.write_json("held_out.json", {name: asdict(report) for name, report in reports.items()})
        summary = _summary(config, run, backbone, data, training, temperature, reports)
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


def _prepare(split: Split, backbone: Backbone, config: PrmConfig) -> _Data:
    tokenize = memoised(backbone.tokenize)
    max_tokens = min(config.max_tokens, backbone.max_tokens)
    parts: list[list[Tree]] = []
    left_out = 0
    for records in (_capped(split.train, config), split.validation, split.held_out):
        trees, too_long = build_trees(records, tokenize, prefix_ids=backbone.prefix_ids, max_tokens=max_tokens)
        parts.append(trees)
        left_out += too_long
    packs = [[pack for tree in trees for pack in pack_tree(tree, _PACK_TOKENS)] for trees in parts]
    for name, part in zip(("training", "validation", "held-out"), packs, strict=True):
        if not any(pack.steps for pack in part):
            raise SettingsError(f"no labels in the {name} part of the problems; give more labels or larger shares")
    training, validation, held_out = packs
    return _Data(training, validation, held_out, problems=[len(trees) for trees in parts], left_out=left_out)


def _capped(records: Sequence[LabelRecord], config: PrmConfig) -> list[LabelRecord]:
    """At most `programs_per_problem` records of each problem, chosen by the seed."""
    if config.programs_per_problem is None:
        return list(records)
    by_problem: dict[str, list[LabelRecord]] = {}
    for record in random.Random(config.seed).sample(records, len(records)):
        kept = by_problem.setdefault(record.problem_id, [])
        if len(kept) < config.programs_per_problem:
            kept.append(record)
    return [record for kept in by_problem.values() for record in kept]


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
    data: _Data,
    training: PrmTraining,
    temperature: float,
    reports: dict[str, Report],
) -> PrmSummary:
    overall, changed, mutants = reports["all"], reports.get("changed"), reports.get(AGAINST_REFERENCES)
    train_problems, validation_problems, held_out_problems = data.problems
    return PrmSummary(
        checkpoint=config.checkpoint or run.checkpoint("final"),
        backbone=config.backbone,
        parameters=int(backbone.model.num_parameters()),
        train_problems=train_problems,
        validation_problems=validation_problems,
        held_out_problems=held_out_problems,
        train_steps=sum(len(pack.steps) for pack in data.train),
        held_out_steps=overall.count,
        left_out_programs=data.left_out,
        iterations=training.budget.done,
        epochs=training.epochs,
        seconds=training.seconds,
        temperature=temperature,
        accuracy=overall.accuracy,
        majority=overall.majority,
        balanced_accuracy=overall.balanced_accuracy,
        f1_positive=overall.positive.f1,
        f1_negative=overall.negative.f1,
        roc_auc=overall.roc_auc,
        ece=overall.ece,
        changed_accuracy=changed.accuracy if changed else None,
        mutants_accuracy=mutants.accuracy if mutants else None,
        mutants_roc_auc=mutants.roc_auc if mutants else None,
    )
