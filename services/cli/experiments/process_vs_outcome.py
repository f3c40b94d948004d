"""Does a reward at every line train a policy further than one at the end? Arms, seeds, intervals; the paper's claim.

Policies with bad habits (ADR 0077), and a PRM from labels of the labeler; then PPO once for each arm and seed: of one
seed all arms have the same policy to start from, the same tasks in the same order, as many rollouts and the same KL
penalty. Everything is settled before the first run (`plan.json`); the held-out tasks are looked at once, when a run has
ended. A run that is done is never done again, so an interrupted experiment goes on.

    linewise experiment process-vs-outcome --run-dir runs/process-vs-outcome --seeds 5
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

from services.cli.errors import UsageError
from services.cli.experiments.arms import checkpoint_of, trained
from services.cli.experiments.findings import Findings, write_findings
from services.cli.experiments.labels import label_file, label_files
from services.cli.experiments.pool import run_all
from services.cli.experiments.process_vs_outcome_findings import findings
from services.cli.experiments.shown_programs import programs_body
from services.cli.ports import free_ports
from services.cli.running import running
from services.cli.stack import PolicyStack, Stack
from services.contracts import JobRequest, LinesTeacher
from trainer.evaluate import EvaluateConfig, evaluate
from trainer.experiments.arm_run import ArmRun, held_out
from trainer.experiments.arms import ARMS
from trainer.experiments.outcome import Trained, read_samples
from trainer.prm import PrmConfig
from trainer.problems import load_problems
from trainer.report_data import RunFiles
from trainer.report_page import Section
from trainer.report_prm import held_out_body
from trainer.runs import write_text
from trainer.success_chance import SuccessChance

_SFT_BATCH = 48
_LANGUAGE = "language"
_TEACHER = "teacher"
_TEACHER_SEED = 1000
"""No run's."""
_OPEN = ("run_dir", "arms", "seeds", "parallel")
"""Settings that may differ between the parts of one experiment."""
_PPO = (
    "problems",
    "iterations",
    "rollouts",
    "samples_per_problem",
    "learning_rate",
    "minibatch",
    "policy_epochs",
    "beta",
    "max_new_tokens",
)
"""Settings that PPO takes over by name."""

_SAME: Mapping[str, Any] = {
    "group_baseline": True,
    "value_model": "shared",
    "value_coefficient": 0.0,
    "warmup_iterations": 6,
    "save_every": 10,
}
"""Settings of every run. No critic learns: the mean of a task's programs is the baseline, and a head that starts at 0
and is worth nothing stays there."""


@dataclass(frozen=True)
class ProcessVsOutcome:
    """Settings of `linewise experiment process-vs-outcome`."""

    run_dir: Path = Path("runs/process-vs-outcome")
    """Where everything goes; the report is `report.html`."""
    arms: tuple[str, ...] = ("outcome", "process", "process+outcome", "shuffled")
    """The arms; `outcome` is what the others are held against. Also: chance, settled, oracle."""
    seeds: int = 5
    """Runs of each arm, with seeds from 0."""
    parallel: int = 2
    """Runs at a time, each with one thread."""
    policies: int = 5
    """Supervised policies, each with a seed of its own; runs of seed s start from the one of s modulo so many."""
    sft_policy: str = _LANGUAGE
    """What each of them is before its fine-tuning: `language`, which is the PRM's backbone too, or as `--policy` of
    `linewise train sft`."""
    sft_problems: str = "lists:train?count=4000&operations=3-4&loops=0&slips=35"
    """What each policy is fine-tuned on: programs with slips, which teach it to write each part wrong now and then."""
    sft_iterations: int = 150
    """Batches of 48 of the fine-tuning: enough to pass 10 to 30 percent of the tasks of PPO at temperature 1."""
    sft_learning_rate: float = 5e-4
    """Its learning rate."""
    label_problems: str = "lists:train?count=800&operations=2-4&seed=11"
    """What the labeler labels for the PRM."""
    mutants_per_step: int = 6
    """Mutants of each line."""
    line_samples: int = 4
    """Lines that the teacher, another policy with the same habits, writes in the place of each; 0: by rules alone."""
    line_problems: str = "lists:train?count=800&operations=2-4&loops=0&seed=11"
    """Where it writes them."""
    language_problems: str = "lists:train?count=4000&operations=2-4&seed=11"
    """Solutions that the PRM's backbone learns to write before it learns to judge."""
    language_iterations: int = 1200
    """Batches of that."""
    prm_epochs: float = 6.0
    """Passes of the PRM over its labels."""
    chance_problems: str = "lists:train?count=400&operations=4-4&loops=0&seed=12"
    """Tasks that each policy is sampled on once, to find out what chance of success the PRM's scores mean, where an arm
    wants to know."""
    chance_samples: int = 8
    """Programs for each of them."""
    problems: str = "lists:train?count=4000&operations=4-4&loops=0&seed=2"
    """The tasks of PPO."""
    iterations: int = 60
    """Of each run."""
    rollouts: int = 32
    """Programs an iteration."""
    samples_per_problem: int = 8
    """Programs written for one task in an iteration; their mean is the baseline of each."""
    learning_rate: float = 2e-4
    """PPO's."""
    minibatch: int = 32
    """Programs a gradient step."""
    policy_epochs: int = 1
    """Passes over an iteration's programs."""
    beta: float = 0.02
    """Weight of the KL penalty."""
    held_out: str = "lists:test?count=150&operations=4-4&loops=0"
    """Tasks whose sequences of operations no training has seen."""
    samples: int = 10
    """Programs for each of them at temperature 1, for pass@1 and pass@10."""
    max_new_tokens: int = 112
    """Longest program."""


def process_vs_outcome(config: ProcessVsOutcome) -> Findings:
    """Do what is left of the experiment, and report it.

    Raises:
        UsageError: an arm has no such name, there are no policies or seeds, or the folder holds another plan.
        FailedError: a run failed; its log is named.
    """
    if unknown := set(config.arms) - set(ARMS):
        raise UsageError(f"no arm {', '.join(sorted(unknown))}; there are {', '.join(ARMS)}.")
    if min(config.policies, config.seeds) < 1:
        raise UsageError("there must be at least one of --policies and one of --seeds.")
    _settle_plan(config)
    policies = _supervised(config)
    prm = _prm(config)
    judges = _judges(config, prm)
    with running(judges):
        starts = [_start(config, number, policy, judges.urls) for number, policy in enumerate(policies)]
        runs = _runs(config, starts, judges.urls)
        run_all(
            {f"{run.arm}-{run.seed}": _command(run) for run in runs if not run.finished()},
            at_once=config.parallel,
            logs=config.run_dir / "logs",
        )
        more = _sections(config, runs, judges.urls["scorer"])
    results = [Trained.read(Path(run.folder)) for run in runs]
    return write_findings(findings(config.run_dir, results, more, rollouts=config.rollouts), config)


def _sections(config: ProcessVsOutcome, runs: Sequence[ArmRun], scorer_url: str) -> tuple[Section, ...]:
    """Programs before PPO and after it, by the first seed's runs, and what the PRM is worth."""
    after = {run.arm: Path(run.folder) / "evaluation" for run in runs if run.seed == 0}
    programs = programs_body(config.held_out, {"before": Path(runs[0].before), **after}, scorer_url)
    prm = held_out_body(RunFiles.read(config.run_dir / "prm").held_out)
    return Section("Programs before and after", programs), Section("The PRM, on held-out problems", prm)


def _settle_plan(config: ProcessVsOutcome) -> None:
    """Write down what no run may depart from; arms and seeds may be added to a plan, nothing else may change."""
    plan = {name: value for name, value in asdict(config).items() if name not in _OPEN}
    text = json.dumps(plan, indent=2, default=str) + "\n"
    file = config.run_dir / "plan.json"
    if file.exists() and file.read_text(encoding="utf-8") != text:
        raise UsageError(f"{file} holds another plan; choose another --run-dir, or the settings that it names.")
    config.run_dir.mkdir(parents=True, exist_ok=True)
    write_text(file, text)


def _supervised(config: ProcessVsOutcome) -> list[Path]:
    """The policies that runs start from, and one of their kind that teaches; before them the PRM's backbone."""
    language = {
        "problems": config.language_problems,
        "policy": "llama-scratch",
        "layers": 4,
        "max_iterations": config.language_iterations,
    }
    written = _fine_tuned(config, {_LANGUAGE: language})
    policy = {
        "problems": config.sft_problems,
        "policy": written[0] if config.sft_policy == _LANGUAGE else config.sft_policy,
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


def _prm(config: ProcessVsOutcome) -> Path:
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
        backbone=str(_final(config.run_dir / _LANGUAGE)),
        run_dir=config.run_dir / "prm",
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


def _judges(config: ProcessVsOutcome, prm: Path) -> Stack:
    """The executor, and the scorer with the PRM."""
    executor_port, scorer_port = free_ports(2)
    return Stack(
        config.run_dir / "services", executor_port=executor_port, scorer_port=scorer_port, models=[f"prm={prm}"]
    )


@dataclass(frozen=True, slots=True)
class _Start:
    """What runs start from: a policy, the chances that scores of it mean, how it does on the held-out tasks."""

    policy: Path
    chance: Path | None
    before: Path


def _start(config: ProcessVsOutcome, number: int, policy: Path, urls: Mapping[str, str]) -> _Start:
    """Find out, once, what there is to know of a policy before any run."""
    before = config.run_dir / f"before-{number}"
    if not (before / "summary.json").exists():
        evaluate(held_out(_evaluation(config), urls["executor"], str(policy), before))
    wanted = any(ARMS[arm].scores == "chance" for arm in config.arms)
    chance = _chance(config, config.run_dir / f"chance-{number}", policy, urls) if wanted else None
    return _Start(policy, chance, before)


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


def _runs(config: ProcessVsOutcome, starts: Sequence[_Start], urls: Mapping[str, str]) -> list[ArmRun]:
    """Every run: all arms with one seed before any with the next, so that what is there early can be compared."""
    ppo = {**_SAME, **{name: getattr(config, name) for name in _PPO}}
    return [
        ArmRun(
            arm=arm,
            seed=seed,
            folder=str(config.run_dir / "runs" / f"{arm}-{seed}"),
            policy=str(start.policy),
            chance=str(start.chance) if start.chance else None,
            before=str(start.before),
            ppo=ppo,
            evaluation=_evaluation(config),
            scorer_url=urls["scorer"],
            executor_url=urls["executor"],
        )
        for seed, start in zip(range(config.seeds), cycle(starts), strict=False)
        for arm in config.arms
    ]


def _evaluation(config: ProcessVsOutcome) -> dict[str, Any]:
    return {"problems": config.held_out, "n": config.samples, "max_new_tokens": config.max_new_tokens}


def _command(run: ArmRun) -> tuple[str, ...]:
    return (sys.executable, "-P", "-m", "trainer.experiments.arm_run", str(run.write()))
