"""A stack that runs for the time of a block, and ends with it or with a signal."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from services.cli.children import ChildSpec
from services.cli.console import say
from services.cli.interrupts import ending_in_order
from services.cli.supervisor import Supervisor


class Startable(Protocol):
    """Children that are started together, and where their logs go."""

    @property
    def log_folder(self) -> Path:
        """Where each child writes its log."""
        ...

    def specs(self) -> list[ChildSpec]:
        """The children."""
        ...


@contextmanager
def running(stack: Startable) -> Iterator[Supervisor]:
    """Start the stack's children, wait until they are ready, end them with the block; for the main thread alone.

    Raises:
        UsageError: a child does not start.
        KeyboardInterrupt: the first SIGINT or SIGTERM within the block.
    """
    _use_accepted_key()
    specs = stack.specs()
    supervisor = Supervisor(specs, log_folder=stack.log_folder, announce=say)
    say(f"starting {', '.join(spec.name for spec in specs)} ...")
    with ending_in_order(supervisor.kill, say), supervisor:
        yield supervisor


def _use_accepted_key() -> None:
    """Where the services will want a key and none is set to be sent, send the first that they accept."""
    if os.environ.get("LINEWISE_API_KEY") or os.environ.get("LINEWISE_API_KEY_FILE"):
        return
    if accepted := os.environ.get("LINEWISE_API_KEYS", "").split(",")[0].strip():
        os.environ["LINEWISE_API_KEY"] = accepted
    elif file := os.environ.get("LINEWISE_API_KEYS_FILE"):
        os.environ["LINEWISE_API_KEY_FILE"] = file
