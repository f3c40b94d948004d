"""One run of the experiment, one arm with one seed, as a process of its own: PPO, then pass@k.

On validation tasks of the policies that were kept on the way, and on the held-out tasks, once, of the last one.

    python -m trainer.experiments.arm_run RUN.json

A run that was interrupted goes on where its last state was saved.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from trainer.evaluate import EvaluateConfig, evaluate
from trainer.experiments.arms import ARMS
from trainer.experiments.outcome import ALONG, KEPT
from trainer.ppo import PpoConfig, train_ppo
from trainer.runs import write_text


@dataclass(frozen=True)
class ArmRun:
    """What one process does; `ppo`, `evaluation` (held-out tasks) and `validation` are settings by name.

    `chance` is the file of a `SuccessChance`, for the arms that want one; `before` the folder with the evaluations of
    `policy` as it starts: `held-out` and `validation`.
    """

    arm: str
    seed: int
    folder: str
    policy: str
    chance: str | None
    before: str
    ppo: dict[str, Any]
    evaluation: dict[str, Any]
    validation: dict[str, Any]
    scorer_url: str
    executor_url: str

    def write(self) -> Path:
        """Put it into the run's folder, for `main`."""
        Path(self.folder).mkdir(parents=True, exist_ok=True)
        return write_text(Path(self.folder) / "run.json", json.dumps(asdict(self), indent=2) + "\n")

    def finished(self) -> bool:
        """Whether everything is done."""
        return (Path(self.folder) / "evaluation" / "summary.json").exists()


def work(run: ArmRun) -> None:
    """Train and evaluate."""
    arm, folder = ARMS[run.arm], Path(run.folder)
    config = PpoConfig(
        policy=run.policy, run_dir=folder / "ppo", seed=run.seed, resume=True, **{**run.ppo, **arm.settings}
    )
    with arm.source(Path(run.chance) if run.chance else None, run.scorer_url, run.executor_url) as source:
        trained = train_ppo(config, source=source)
    for kept in trained.checkpoint.parent.glob(f"{KEPT}*"):
        evaluate(measuring(run.validation, run.executor_url, str(kept), folder / ALONG / kept.name))
    evaluate(measuring(run.evaluation, run.executor_url, str(trained.checkpoint), folder / "evaluation"))


def measuring(evaluation: Mapping[str, Any], executor_url: str, policy: str, folder: Path) -> EvaluateConfig:
    """How a policy is measured: all of them, before and after, in the same way and with the same seed."""
    return EvaluateConfig(
        policy=policy, run_dir=folder, executor_url=executor_url, k=(1, 10), temperature=1.0, **evaluation
    )


if __name__ == "__main__":
    work(ArmRun(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
