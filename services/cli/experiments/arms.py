"""The arms of an experiment: PRMs that differ in what they learn from, each trained with several seeds."""

import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from services.contracts import JobRequest
from trainer.prm import PrmConfig, train_prm
from trainer.problems import load_problems


@dataclass(frozen=True)
class PrmExperiment:
    """What every experiment with PRMs asks for."""

    problems: str = "mbpp:601-700"
    """The problems to label: see `linewise problems`."""
    augmented_tests: int = 32
    """New tests for each problem."""
    label_seed: int = 0
    """Of the labelling."""
    seeds: int = 2
    """PRMs of each arm, with seeds from 0."""
    backbone: str = "small"
    """As of `linewise train prm`."""
    layers: int | None = None
    """Keep only the lowest so many layers of it."""
    freeze: bool = False
    """Fit a linear classifier on frozen hidden states; no seed plays a part then."""
    feature_cache: Path = Path("runs/features")
    """Where `freeze` keeps them."""
    balanced: bool = True
    """Let wrong, reference and refactored steps weigh the same in total."""
    epochs: float = 6.0
    """Passes over the labels."""
    max_minutes: float | None = None
    """Of training, for each PRM."""
    batch_tokens: int = 2048
    """Tokens a batch."""
    held_out: float = 0.3
    """Share of the problems that no training sees; all figures are of them."""
    threads: int = 1
    """Threads of a CPU run."""

    def job(self, name: str, **changed: Any) -> JobRequest:
        """The labelling job of an arm; what is not `changed` is as `linewise label` has it."""
        settings = {"augmented_tests": self.augmented_tests, "seed": self.label_seed, **changed}
        return JobRequest(name=name, problems=load_problems(self.problems), **settings)

    def prm(self, folder: Path, name: str, labels: tuple[Path, ...], seed: int) -> PrmConfig:
        """The training of one PRM of an arm."""
        own = {field.name for field in fields(PrmConfig)}
        shared = {key: value for key, value in asdict(self).items() if key in own}
        run_dir = folder / "prm" / f"{name}-{seed}"
        return PrmConfig(**{**shared, "labels": labels, "run_dir": run_dir, "seed": seed})


def trained(config: PrmConfig) -> dict[str, Any]:
    """The summary of a PRM: of a run with this config that is there already, or that goes on or begins now."""
    summary, begun = config.run_dir / "summary.json", _is_of(config, config.run_dir / "config.json")
    if not (begun and summary.exists()):
        summary.unlink(missing_ok=True)
        train_prm(replace(config, resume=begun))
    found: dict[str, Any] = json.loads(summary.read_text(encoding="utf-8"))
    return found


def checkpoint_of(config: PrmConfig) -> Path:
    """Where the PRM of such a run lies."""
    return config.run_dir / "checkpoints" / "final"


def _is_of(config: PrmConfig, kept: Path) -> bool:
    """Whether the settings in the file `kept` are these, but for `resume`."""
    if not kept.exists():
        return False
    written = json.loads(kept.read_text(encoding="utf-8"))
    wanted = json.loads(json.dumps(asdict(config), default=str))
    return bool({**written, "resume": None} == {**wanted, "resume": None})
