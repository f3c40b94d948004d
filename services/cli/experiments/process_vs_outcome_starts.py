"""What the runs of process against outcome start from: policies with bad habits, a PRM, what there is to know of each.

One model learns to write the tasks; it is the PRM's backbone, and each policy is it, fine-tuned on programs with slips
(ADR 0077). The PRM's labels are the labeler's: mutations by rules, and lines that a policy of the same kind, no run's
start, writes in the place of the reference's (ADR 0039). What is there already is never made again.
"""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.cli.experiments.arms import checkpoint_of, trained
from services.cli.experiments.labels import label_file, label_files
from services.cli.experiments.pool import run_all
from services.cli.experiments.process_vs_outcome_settings import LANGUAGE, ProcessVsOutcome
from services.cli.ports import free_ports
from services.cli.running import running
from services.cli.stack import PolicyStack
from services.contracts import JobRequest, LinesTeacher
from trainer.evaluate import EvaluateConfig, evaluate
from trainer.experiments.arm_run import measuring
from trainer.experiments.arms import ARMS
from trainer.experiments.outcome import read_samples
from trainer.prm import PrmConfig
from trainer.problems import load_problems
from trainer.success_chance import SuccessChance

_SFT_BATCH = 48
_TEACHER = "teacher"
_TEACHER_SEED = 1000
"""No run's."""


def supervised(config: ProcessVsOutcome) -> list[Path]:
    """The policies that runs start from, and one of their kind that teaches; before them the PRM's backbone."""
    language = {
        "problems": config.language_problems,
        "policy": "llama-scratch",
        "layers": 4,
        "max_iterations": config.language_iterations,
    }
    written = _fine_tuned(config, {LANGUAGE: language})
    policy = {
        "problems": config.sft_problems,
        "policy": written[0] if config.sft_policy == LANGUAGE else config.sft_policy,
        "max_iterations": config.sft_iterations,
        "learning_rate": config.sft_learning_rate,
    }
    starts = {f"sft-{number}": {**policy, "seed": number} for number in range(min(config.policies, config.seeds))}
    teacher = {_TEACHER: {**policy, "seed": _TEACHER_SEED}} if config.line_samples else {}
    return _fine_tuned(config, starts | teacher)[: len(starts)]


def _fine_tuned(config: ProcessVsOutcome, settings: Mapping[str, Mapping[str, object]]) -> list[Path]:
    """The checkpoints of fine-tunings by name, those that are not there yet made side by side."""
    run_all(
        {
            name: _sft_command({"batch_size": _SFT_BATCH, **each, "run_dir": config.run_dir / name})
            for name, each in settings.items()
            if not (config.run_dir / name / "summary.json").exists()
        },
        at_once=config.parallel,
        logs=config.run_dir / "logs",
    )
    return [_final(config.run_dir / name) for name in settings]


def _sft_command(settings: Mapping[str, object]) -> tuple[str, ...]:
    options = (part for name, value in settings.items() for part in (f"--{name.replace('_', '-')}", str(value)))
    return (sys.executable, "-P", "-m", "services.cli", "train", "sft", *options)


def _final(run_dir: Path) -> Path:
    return run_dir / "checkpoints" / "final"


def process_reward_model(config: ProcessVsOutcome) -> Path:
    """The PRM, by the labeler's labels."""
    request = JobRequest(
        name="process-vs-outcome",
        problems=load_problems(config.label_problems),
        mutants_per_step=config.mutants_per_step,
        refactorings_per_step=1,
        augmented_tests=8,
    )
    by_rules = label_files(config.run_dir / "labels", {"labels": request}).values()
    prm = PrmConfig(
        labels=(*by_rules, *_line_labels(config)),
        backbone=str(_final(config.run_dir / LANGUAGE)),
        run_dir=config.run_dir / "prm",
        composed=config.composed,
        epochs=config.prm_epochs,
        learning_rate=5e-4,
        batch_tokens=2048,
    )
    trained(prm)
    return checkpoint_of(prm)


def _line_labels(config: ProcessVsOutcome) -> Iterator[Path]:
    """The labels of lines that the teacher writes, by a labeler that asks it."""
    if not config.line_samples:
        return
    [port] = free_ports(1)
    teacher = PolicyStack(_final(config.run_dir / _TEACHER), port, config.run_dir / "logs")
    request = JobRequest(
        name="lines",
        problems=load_problems(config.line_problems),
        augmented_tests=8,
        teacher=LinesTeacher(base_url=teacher.url, model=_TEACHER, samples=config.line_samples, concurrency=128),
    )
    folder = config.run_dir / "labels"
    file = label_file(folder, "lines", request)
    if not file.exists():
        with running(teacher):
            label_files(folder, {"lines": request})
    yield file


@dataclass(frozen=True, slots=True)
class Start:
    """What runs start from: a policy, the chances that scores of it mean, how it does on the held-out tasks."""

    policy: Path
    chance: Path | None
    before: Path


def start(config: ProcessVsOutcome, number: int, policy: Path, urls: Mapping[str, str]) -> Start:
    """Find out, once, what there is to know of a policy before any run."""
    before = config.run_dir / f"before-{number}"
    measures = {"held-out": evaluation(config, config.held_out)}
    if config.keep_every:
        measures["validation"] = evaluation(config, config.validation)
    for name, settings in measures.items():
        if not (before / name / "summary.json").exists():
            evaluate(measuring(settings, urls["executor"], str(policy), before / name))
    wanted = any(ARMS[arm].scores == "chance" for arm in config.arms)
    chance = _chance(config, config.run_dir / f"chance-{number}", policy, urls) if wanted else None
    return Start(policy, chance, before)


def _chance(config: ProcessVsOutcome, folder: Path, policy: Path, urls: Mapping[str, str]) -> Path:
    """What chance of success the PRM's scores mean where this policy writes, fitted once."""
    file = folder / "chance.json"
    if not file.exists():
        evaluate(
            EvaluateConfig(
                policy=str(policy),
                problems=config.chance_problems,
                run_dir=folder,
                n=config.chance_samples,
                greedy=False,
                temperature=1.0,
                max_new_tokens=config.max_new_tokens,
                with_scores=True,
                executor_url=urls["executor"],
                scorer_url=urls["scorer"],
            )
        )
        judged = [sample for sample in read_samples(folder / "samples.jsonl") if sample.verdict is not None]
        programs = [([score for _, score in sample.scores or ()], sample.passed) for sample in judged]
        SuccessChance.fit(programs).save(file)
    return file


def evaluation(config: ProcessVsOutcome, problems: str) -> dict[str, Any]:
    """How every policy is measured, as settings of an evaluation."""
    return {"problems": problems, "n": config.samples, "max_new_tokens": config.max_new_tokens}
