"""A place in the pool: one worker, and a fresh one where it failed."""

import logging
import threading
from collections.abc import Callable

from services.executor.metrics import ExecutorMetrics
from services.executor.sandbox import SandboxError
from services.executor.worker import Worker

logger = logging.getLogger(__name__)


class Seat:
    """The place of worker `number`; `worker` is closed, and of no use, while `vacant`.

    Raises:
        SandboxError: the first worker does not start.
    """

    def __init__(self, number: int, make_worker: Callable[[int], Worker], metrics: ExecutorMetrics) -> None:
        self._number = number
        self._make_worker = make_worker
        self._metrics = metrics
        self._closed = False
        self._changing = threading.Lock()
        self.worker = make_worker(number)
        self.vacant = False
        self.down = False
        """True from a start that failed to the next that does not."""

    def vacate(self) -> None:
        """End a worker that failed; call it in the handler of its error."""
        logger.exception("a sandbox failed", extra={"worker": self._number})
        self._metrics.replaced.inc()
        self.vacant = True
        self.worker.close()

    def occupy(self) -> bool:
        """Start a worker in a vacant seat; False where it does not start, or came too late."""
        try:
            fresh = self._make_worker(self._number)
        except SandboxError:
            logger.exception("a sandbox does not start", extra={"worker": self._number})
            self._metrics.failed_starts.inc()
            self.down = True
            return False
        with self._changing:
            if not self._closed:
                self.worker, self.vacant, self.down = fresh, False, False
                return True
        fresh.close()
        return False

    def close(self) -> None:
        """End the worker, whatever it does, and take no other; from any thread."""
        with self._changing:
            self._closed = True
        self.worker.close()
