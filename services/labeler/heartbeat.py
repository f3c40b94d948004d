"""A worker's sign of life: a file that its main process touches every second, for probes that ask how old it is.

Alive is a main loop that turns, or one that waits for a Redis that is away: it finds back by itself, and a process in
its place would only wait, too. So the loop's own timer touches the file, and whoever waits for a connection; a thread
or a signal's handler would go on where the loop hangs. Of the processes that label nothing is said: their tasks are
given to others when they die, and a program without an end has limits of its own (decision 0037).
"""

import logging
from pathlib import Path
from typing import Any

from celery.worker.consumer import Consumer
from celery.worker.state import maybe_shutdown
from kombu import Connection

_EVERY_S = 1.0

_log = logging.getLogger(__name__)


class BeatingConsumer(Consumer):
    """Celery's consumer of the queue, which touches `heartbeat_file`."""

    def __init__(self, *arguments: Any, heartbeat_file: Path, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._heartbeat_file = heartbeat_file
        self.timer.call_repeatedly(_EVERY_S, heartbeat_file.touch)

    def ensure_connected(self, conn: Connection) -> Connection:
        """Wait for Redis without end; no timer runs meanwhile, so every second of it is a heartbeat."""
        self._heartbeat_file.touch()
        return conn.ensure_connection(self._say_why, callback=self._wait)

    def _wait(self) -> None:
        self._heartbeat_file.touch()
        maybe_shutdown()

    def _say_why(self, error: Exception, next_try_s: float) -> None:
        _log.error("no Redis: %s; next try in %g s", error, next_try_s)
