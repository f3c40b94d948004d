"""A worker's place in the pool: one sandbox, and a fresh one where it failed."""

import logging
import threading
from collections.abc import Callable

from services.executor.metrics import ExecutorMetrics
from services.executor.sandbox import Sandbox, SandboxError

logger = logging.getLogger(__name__)


class Seat:
    """The place of worker `number`; `sandbox` is closed, and of no use, while `vacant`.

    Raises:
        SandboxError: the first sandbox does not start.
    """

    def __init__(self, number: int, make_sandbox: Callable[[int], Sandbox], metrics: ExecutorMetrics) -> None:
        self._number = number
        self._make_sandbox = make_sandbox
        self._metrics = metrics
        self._closed = False
        self._changing = threading.Lock()
        self.sandbox = make_sandbox(number)
        self.vacant = False
        self.down = False
        """True from a start that failed to the next that does not."""

    def vacate(self) -> None:
        """End a sandbox that failed; call it in the handler of its error."""
        logger.exception("a sandbox failed", extra={"worker": self._number})
        self._metrics.replaced.inc()
        self.vacant = True
        self.sandbox.close()

    def occupy(self) -> bool:
        """Start a sandbox in a vacant seat; False where it does not start, or came too late."""
        try:
            fresh = self._make_sandbox(self._number)
        except SandboxError:
            logger.exception("a sandbox does not start", extra={"worker": self._number})
            self._metrics.failed_starts.inc()
            self.down = True
            return False
        with self._changing:
            if not self._closed:
                self.sandbox, self.vacant, self.down = fresh, False, False
                return True
        fresh.close()
        return False

    def close(self) -> None:
        """End the sandbox, whatever runs in it, and take no other; from any thread."""
        with self._changing:
            self._closed = True
        self.sandbox.close()
