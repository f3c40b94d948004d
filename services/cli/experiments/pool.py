"""Many commands, a few at a time, each with a log of its own; what still runs at the end of the block is ended."""

import signal
import time
from collections.abc import Mapping
from pathlib import Path

from services.cli.children import Child, ChildSpec, ending
from services.cli.errors import FailedError
from trainer.progress import progress_bar

_POLL_S = 0.5


def run_all(commands: Mapping[str, tuple[str, ...]], *, at_once: int, logs: Path) -> None:
    """Run every command, in order, under a progress bar.

    Raises:
        FailedError: one failed; it and its last words are named, and the others are ended.
    """
    waiting = list(commands.items())
    running: dict[str, Child] = {}
    try:
        with progress_bar("runs", total=len(waiting)) as bar:
            while waiting or running:
                while waiting and len(running) < at_once:
                    name, command = waiting.pop(0)
                    running[name] = _started(name, command, logs)
                time.sleep(_POLL_S)
                for name in [name for name, child in running.items() if not child.alive]:
                    _check(name, running.pop(name))
                    bar.advance()
    finally:
        for child in running.values():
            child.sweep()


def _started(name: str, command: tuple[str, ...], logs: Path) -> Child:
    one_thread = {"OMP_NUM_THREADS": "1"}
    child = Child(
        ChildSpec(name, command, ready=lambda: True, environment=one_thread, death_signal=signal.SIGKILL), logs
    )
    child.start()
    return child


def _check(name: str, child: Child) -> None:
    if code := child.exit_code():
        words = child.last_words().removeprefix("linewise: ")
        raise FailedError(f"{name} ended with {ending(code)}: {words} (log: {child.log_path})")
