"""What the runs of an experiment came to, read from their folders."""

import json
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from trainer.passk import pass_at_k
from trainer.runs import read_metrics
from trainer.samples import Sample

ALONG = "along"
"""Under a run's folder, the evaluations of the policies that were kept on the way."""
KEPT = "iteration-"
"""What their names begin with; the iteration follows."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A policy on the held-out tasks: for each, in the order of their ids, an estimate of pass@k in [0, 1]."""

    pass_at_1: list[float]
    pass_at_10: list[float]
    greedy: float
    lines: float
    distinct: float

    @classmethod
    def read(cls, folder: Path) -> Self:
        """From an evaluation's folder."""
        samples = read_samples(folder / "samples.jsonl")
        tried: dict[str, list[Sample]] = defaultdict(list)
        for sample in samples:
            if sample.kind != "greedy" and sample.verdict is not None:
                tried[sample.task_id].append(sample)
        counts = [(len(each), sum(sample.passed for sample in each)) for _, each in sorted(tried.items())]
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        return cls(
            pass_at_1=[passed / count for count, passed in counts],
            pass_at_10=[pass_at_k(count, passed, min(10, count)) for count, passed in counts],
            greedy=summary["greedy_pass_at_1"],
            lines=summary["mean_lines"],
            distinct=summary["distinct"] / max(1, summary["samples"]),
        )


@dataclass(frozen=True, slots=True)
class Trained:
    """One run: where it began, its curve over iterations, where it ended; `settings` are PPO's by name.

    `along`: on validation tasks, the policies after so many iterations; 0 is where it began.
    """

    arm: str
    seed: int
    settings: dict[str, Any]
    metrics: list[dict[str, Any]]
    before: Measured
    after: Measured
    along: dict[int, Measured] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """From the run's folder."""
        run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        return cls(
            arm=run["arm"],
            seed=run["seed"],
            settings=run["ppo"],
            metrics=read_metrics(folder / "ppo"),
            before=Measured.read(Path(run["before"]) / "held-out"),
            after=Measured.read(folder / "evaluation"),
            along=_along(folder / ALONG, Path(run["before"]) / "validation"),
        )

    def curve(self, name: str) -> list[float]:
        """A metric at each iteration that has it."""
        return [line[name] for line in self.metrics if line.get(name) is not None]

    def ended_at(self, name: str) -> float | None:
        """The mean of a metric over the last tenth of the run."""
        values = self.curve(name)
        tail = values[-max(1, len(values) // 10) :]
        return sum(tail) / len(tail) if tail else None


def _along(folder: Path, before: Path) -> dict[int, Measured]:
    kept = {int(each.name.removeprefix(KEPT)): each for each in folder.glob(f"{KEPT}*")}
    return {at: Measured.read(each) for at, each in sorted({0: before, **kept}.items())} if kept else {}


def read_samples(file: Path) -> list[Sample]:
    """Every sample of an evaluation's file."""
    return [Sample.model_validate_json(line) for line in file.read_text(encoding="utf-8").splitlines()]
