"""Remembers finished phases in the run's folder, so that a demo that was stopped goes on where it was.

    <run_dir>/phases/<name>.json    {"result": {...}, "seconds": 12.3}

A ledger belongs to one plan: with another plan (or another version) everything is done anew.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any

from services.cli.atomic_file import written_whole

Announce = Callable[[str], None]
_PLAN = "plan.json"


@dataclass(frozen=True, slots=True)
class Finished:
    """A finished phase: what came of it, in JSON's own terms, and its wall time."""

    result: dict[str, Any]
    seconds: float


class Ledger:
    """The finished phases of one plan, in `folder`."""

    def __init__(self, folder: Path, plan: Any, announce: Announce) -> None:
        self._folder = folder
        self._announce = announce
        identity = hashlib.sha256(_json(plan).encode()).hexdigest()
        known = folder / _PLAN
        if known.exists() and json.loads(known.read_text())["sha256"] != identity:
            announce("this folder holds a demo of another plan; starting anew.")
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
        with written_whole(known) as file:
            file.write(_json({"sha256": identity, "plan": plan}))

    def finished(self, name: str) -> bool:
        """Whether the phase is done."""
        return self._path(name).exists()

    def once(self, name: str, work: Callable[[], Any]) -> Finished:
        """Do `work` unless the phase is done, and keep what it returns: a dataclass or a dict that JSON can hold."""
        path = self._path(name)
        if path.exists():
            self._announce(f"{name}: done before, kept.")
        else:
            self._announce(f"{name} ...")
            began = time.monotonic()
            result = work()
            seconds = time.monotonic() - began
            with written_whole(path) as file:
                file.write(_json({"result": result, "seconds": seconds}))
            self._announce(f"{name}: done in {seconds:.0f} s.")
        return _read(path)

    def results(self) -> dict[str, dict[str, Any]]:
        """What came of each finished phase, by name, in the order in which they were finished."""
        return {name: finished.result for name, finished in self._all().items()}

    def seconds(self) -> dict[str, float]:
        """Wall time of each finished phase, likewise."""
        return {name: finished.seconds for name, finished in self._all().items()}

    def _all(self) -> dict[str, Finished]:
        paths = sorted(self._folder.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
        return {path.stem: _read(path) for path in paths if path.name != _PLAN}

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"


def _read(path: Path) -> Finished:
    kept = json.loads(path.read_text(encoding="utf-8"))
    return Finished(kept["result"], kept["seconds"])


def _json(value: Any) -> str:
    return json.dumps(value, default=_plain, indent=2, ensure_ascii=False) + "\n"


def _plain(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else str(value)
