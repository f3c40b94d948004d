"""Does a reward at every line train a policy further than one at the end? Arms, seeds, intervals; the paper's claim.

Policies with bad habits (ADR 0077), and a PRM from labels of the labeler; then PPO once for each arm and seed: of one
seed all arms have the same policy to start from, the same tasks in the same order, as many rollouts and the same KL
penalty. Everything is settled before the first run (`plan.json`); the held-out tasks are looked at once, when a run has
ended; curves on the way are of validation tasks. A run that is done is never done again, so an interrupted experiment
goes on.

    linewise experiment process-vs-outcome --run-dir runs/process-vs-outcome --seeds 5
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import cycle
from pathlib import Path
from typing import Any

from services.cli.errors import UsageError
from services.cli.experiments.findings import Findings, write_findings
from services.cli.experiments.pool import run_all
from services.cli.experiments.process_vs_outcome_findings import findings
from services.cli.experiments.process_vs_outcome_settings import ProcessVsOutcome
from services.cli.experiments.process_vs_outcome_starts import (
    Start,
    evaluation,
    process_reward_model,
    start,
    supervised,
)
from services.cli.experiments.shown_programs import programs_body
from services.cli.ports import free_ports
from services.cli.running import running
from services.cli.stack import Stack
from trainer.experiments.arm_run import ArmRun
from trainer.experiments.arms import ARMS
from trainer.experiments.outcome import Trained
from trainer.report_data import RunFiles
from trainer.report_page import Section
from trainer.report_prm import held_out_body
from trainer.runs import write_text

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
    "keep_every",
    "max_new_tokens",
)
"""Settings that PPO takes over by name."""

_SAME: Mapping[str, Any] = {
    "value_model": "shared",
    "value_coefficient": 0.0,
    "warmup_iterations": 3,
    "save_every": 10,
}
"""Settings of every run. No critic learns: a mean is the baseline, that of a task's programs where it has several, else
the iteration's. A head that starts at 0 and is worth nothing stays there."""


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
    policies = supervised(config)
    prm = process_reward_model(config)
    judges = _judges(config, prm)
    with running(judges):
        starts = [start(config, number, policy, judges.urls) for number, policy in enumerate(policies)]
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
    programs = programs_body(config.held_out, {"before": Path(runs[0].before) / "held-out", **after}, scorer_url)
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


def _judges(config: ProcessVsOutcome, prm: Path) -> Stack:
    """The executor, and the scorer with the PRM."""
    executor_port, scorer_port = free_ports(2)
    return Stack(
        config.run_dir / "services", executor_port=executor_port, scorer_port=scorer_port, models=[f"prm={prm}"]
    )


def _runs(config: ProcessVsOutcome, starts: Sequence[Start], urls: Mapping[str, str]) -> list[ArmRun]:
    """Every run: all arms with one seed before any with the next, so that what is there early can be compared."""
    chosen = {name: getattr(config, name) for name in _PPO}
    ppo = {**_SAME, "group_baseline": config.samples_per_problem > 1, **chosen}
    return [
        ArmRun(
            arm=arm,
            seed=seed,
            folder=str(config.run_dir / "runs" / f"{arm}-{seed}"),
            policy=str(begun.policy),
            chance=str(begun.chance) if begun.chance else None,
            before=str(begun.before),
            ppo=ppo,
            evaluation=evaluation(config, config.held_out),
            validation=evaluation(config, config.validation),
            scorer_url=urls["scorer"],
            executor_url=urls["executor"],
        )
        for seed, begun in zip(range(config.seeds), cycle(starts), strict=False)
        for arm in config.arms
    ]


def _command(run: ArmRun) -> tuple[str, ...]:
    return (sys.executable, "-P", "-m", "trainer.experiments.arm_run", str(run.write()))
