"""A command that runs beside the phases, in a process of its own, because it needs nothing of theirs."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from services.cli.children import Child, ChildSpec, ending
from services.cli.errors import FailedError

_POLL_S = 0.2


@contextmanager
def beside(name: str, argv: tuple[str, ...], log_folder: Path) -> Iterator[Callable[[], None]]:
    """Run `argv` for the time of the block at most; the function that it gives waits for the command's end.

    That function raises FailedError where the command fails, with the last line that it wrote.
    """
    child = Child(ChildSpec(name, argv, ready=lambda: True, death_signal=signal.SIGKILL), log_folder)
    child.start()

    def wait() -> None:
        while child.alive:
            time.sleep(_POLL_S)
        if code := child.exit_code():
            words = child.last_words().removeprefix("linewise: ")
            raise FailedError(f"{name} ended with {ending(code)}: {words} (log: {child.log_path})")

    try:
        yield wait
    finally:
        child.sweep()
