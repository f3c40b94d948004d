"""A run's folder: what was asked (`config.json`), on what (`environment.json`), what happened, and what came of it.

    runs/<name>/
      config.json  environment.json
      metrics.jsonl         {"iteration": 3, "loss": 0.4, ...}, a line for each `log`
      tensorboard/          the same figures
      checkpoints/<name>/   model folders

Files and checkpoints appear whole or not at all: they are written beside their place and renamed. Leaves out: what a
checkpoint holds, and the report.
"""

import json
import math
import os
import platform
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from enum import Enum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_PACKAGES = ("linewise", "torch", "transformers", "tokenizers")


class Run:
    """The folder of one training run, as a context manager; entering it twice adds to what is there.

    Of several processes only one `writes`; for the others every way of writing does nothing.
    """

    def __init__(self, folder: Path, *, writes: bool = True) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.writes = writes
        self._board = _board(self.folder) if writes else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Flush TensorBoard; every other file is complete already."""
        if self._board:
            self._board.close()

    def write_config(self, config: Any) -> None:
        """Write a phase's settings, a dataclass, and the versions they were run with."""
        self.write_json("config.json", asdict(config))
        self.write_json("environment.json", environment())

    def write_json(self, name: str, data: Any) -> Path:
        """Write `data` as `name` in the folder; paths, enums and dataclasses may be in it."""
        if not self.writes:
            return self.folder / name
        return write_text(self.folder / name, json.dumps(_plain(data), indent=2, ensure_ascii=False) + "\n")

    def log(self, iteration: int, metrics: Mapping[str, float]) -> None:
        """Append a line to `metrics.jsonl` and the same figures to TensorBoard; NaN and infinity become null."""
        if self._board is None:
            return
        line = json.dumps(_plain({"iteration": iteration, **metrics}), allow_nan=False)
        with self.metrics_file.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        for name, value in metrics.items():
            self._board.add_scalar(name, value, iteration)

    @property
    def metrics_file(self) -> Path:
        """`metrics.jsonl` in the folder; it is there after the first `log`."""
        return self.folder / "metrics.jsonl"

    def rewind(self, iteration: int) -> None:
        """Drop the metrics behind `iteration`, before a resumed run writes them again; 0 forgets all of them."""
        if self._board is None:
            return
        kept = [line for line in read_metrics(self.folder) if line["iteration"] <= iteration]
        write_text(self.metrics_file, "".join(json.dumps(line) + "\n" for line in kept))
        self._board.close()
        self._board = _board(self.folder, behind=iteration)

    def checkpoint(self, name: str) -> Path:
        """Where the checkpoint `name` lives: `checkpoints/<name>`; fill it inside `replacing(path)`."""
        (self.folder / "checkpoints").mkdir(exist_ok=True)
        return self.folder / "checkpoints" / name


def _board(folder: Path, behind: int | None = None) -> Any:
    """A TensorBoard writer; with `behind`, what was written behind that iteration is hidden."""
    from torch.utils.tensorboard import SummaryWriter  # slow to import, and needed by runs alone

    return SummaryWriter(str(folder / "tensorboard"), purge_step=None if behind is None else behind + 1)


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's `metrics.jsonl`, in order; none where nothing was logged."""
    file = folder / "metrics.jsonl"
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []


def environment() -> dict[str, Any]:
    """The versions and the machine behind a run's figures."""
    import torch

    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "cuda": torch.cuda.is_available(),
        "packages": {name: _version(name) for name in _PACKAGES},
    }


def write_text(path: Path, text: str) -> Path:
    """Write a text file whole or not at all."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)
    return path


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """An empty folder to fill, which takes `folder`'s place when the block ends well, and vanishes when it does not."""
    beside = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        yield beside
        _open_as_the_folder(beside)
        shutil.rmtree(folder, ignore_errors=True)
        beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _open_as_the_folder(folder: Path) -> None:
    """Whoever may read the folder may read its files: safetensors makes them for their owner, a scorer is another."""
    mode = folder.stat().st_mode & 0o666
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(mode)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _plain(value: Any) -> Any:
    """`value` in JSON's own terms."""
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
