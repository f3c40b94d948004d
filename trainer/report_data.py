"""What a run's folder holds, read for its report; a missing file is an empty one."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from trainer.runs import read_metrics

TITLES = {
    "objective/scores": "Reward of a rollout, before the KL penalty",
    "objective/kl": "KL to the reference, nats a rollout",
    "objective/entropy": "Entropy of the policy",
    "objective/rlhf_reward": "Reward with the KL penalty",
    "policy/approxkl_avg": "Approximate KL of an update",
    "policy/clipfrac_avg": "Share of ratios that were clipped",
    "critic/vf_explained_var": "Variance that the value model explains",
    "loss/policy_avg": "Policy loss",
    "loss/value_avg": "Value loss",
    "rewards/accepted": "Share of rollouts that pass their tests",
    "rewards/step_score": "Mean score of a line",
    "rewards/no_answer": "Rollouts that got no reward",
    "rollout/tokens": "Tokens a rollout",
    "rollout/code_steps": "Lines of code a rollout",
    "rollout/finished": "Share of rollouts that end by themselves",
    "timing_share/rewards_wait": "Share of the time spent waiting for rewards",
    "timing_s/total": "Seconds",
    "sft/loss": "Loss, nats a token",
    "sft/learning_rate": "Learning rate",
    "prm/loss": "Training loss",
    "prm/validation_loss": "Validation loss",
    "prm/validation_accuracy": "Validation accuracy",
}
"""What the metrics are called on a page for people."""


@dataclass(frozen=True, slots=True)
class RunFiles:
    """The parsed files of a run."""

    folder: Path
    summary: dict[str, Any]
    config: dict[str, Any]
    environment: dict[str, Any]
    held_out: dict[str, Any]
    first_error: dict[str, Any]
    metrics: list[dict[str, Any]]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read a folder; only files that are there, and that must then be whole."""
        return cls(
            folder,
            summary=_read_json(folder / "summary.json"),
            config=_read_json(folder / "config.json"),
            environment=_read_json(folder / "environment.json"),
            held_out=_read_json(folder / "held_out.json"),
            first_error=_read_json(folder / "first_error.json"),
            metrics=read_metrics(folder),
        )

    @property
    def phase(self) -> str:
        """What kind of run this is, told by its figures."""
        marks = {
            "temperature": "A process reward model, trained on labels",
            "pass_at_k": "An evaluation",
            "kl": "A policy trained by PPO",
            "train_loss": "A policy trained on solutions",
        }
        return next((name for mark, name in marks.items() if mark in self.summary), "A run")

    @property
    def is_ppo(self) -> bool:
        """Whether its metrics are those of PPO."""
        return any("objective/kl" in line for line in self.metrics)

    @property
    def machine(self) -> str:
        """On what it ran."""
        cores = self.environment.get("cores", self.environment.get("cpus"))
        return f"{cores} CPU cores" if cores and not self.environment.get("cuda") else "this machine"


def scalars(figures: Mapping[str, Any]) -> dict[str, Any]:
    """`figures` without what is no single value or short mapping."""
    return {name: value for name, value in figures.items() if not isinstance(value, list) and not _is_deep(value)}


def _is_deep(value: object) -> bool:
    return isinstance(value, Mapping) and any(isinstance(item, Mapping | list) for item in value.values())


def _read_json(path: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return data
