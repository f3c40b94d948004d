"""One child process of the supervisor: what it is (`ChildSpec`) and its life (`Child`).

A child runs in a process group of its own, so that Ctrl-C in the terminal reaches the supervisor alone and the
supervisor can end a child with everything that it started. It is tethered to its supervisor (`services.cli.tether`).
"""

import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

from services.cli.probes import Probe
from services.cli.tether import tethered

_QUOTED_BYTES = 4096


class Stage(IntEnum):
    """Children start from the lowest stage up and end from the highest down."""

    BROKER = 0
    WORKER = 1
    SERVICE = 2


@dataclass(frozen=True)
class ChildSpec:
    """A command to keep alive.

    `ready` is asked until it says yes. `death_signal` is sent by the kernel when the supervisor itself is killed,
    SIGTERM by an orderly end, which leaves the child `grace_s` seconds.
    """

    name: str
    argv: tuple[str, ...]
    ready: Probe
    stage: Stage = Stage.SERVICE
    environment: Mapping[str, str] = field(default_factory=dict)
    death_signal: int = signal.SIGTERM
    grace_s: float = 35.0


class Child:
    """A running command: start it, ask after it, end it. Not safe for several threads at once."""

    def __init__(self, spec: ChildSpec, log_folder: Path) -> None:
        self.spec = spec
        self.log_path = log_folder / f"{spec.name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process's id, its group's too; null before the first start."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the command, its output appended to its log. The calling thread must outlive it (see `tether`)."""
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command line
                tethered(self.spec.argv, self.spec.death_signal),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.spec.environment},
                process_group=0,
            )

    def exit_code(self) -> int | None:
        """Null while it runs, negative where a signal ended it (minus the signal's number)."""
        return self._process.poll() if self._process else None

    @property
    def alive(self) -> bool:
        """Started and not ended."""
        return self._process is not None and self._process.poll() is None

    def ask_to_end(self) -> None:
        """Send SIGTERM to the command alone: it ends its own children as it sees fit."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.terminate()

    def sweep(self) -> None:
        """Kill whatever is left of its process group, itself included."""
        if self._process is None:
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def last_words(self) -> str:
        """The last line of its log that is not empty: where a child cannot start, the sentence that says why."""
        with suppress(OSError), self.log_path.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _QUOTED_BYTES))
            lines = log.read().decode(errors="replace").split("\n")
            return next((line.strip() for line in reversed(lines) if line.strip()), "")
        return ""


def ending(exit_code: int) -> str:
    """How a process ended, in words: `exit code 2`, or `signal SIGKILL`."""
    if exit_code >= 0:
        return f"exit code {exit_code}"
    try:
        return f"signal {signal.Signals(-exit_code).name}"
    except ValueError:
        return f"signal {-exit_code}"
