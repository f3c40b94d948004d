"""A request's programs on their way through the pool: what each came to, and one wake-up when the last is done."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from services.executor.sandbox import SandboxError
from services.executor.worker import Worker
from services.kit.errors import DeadlineError

IsAbandoned = Callable[[], bool]
Work = Callable[[Worker, IsAbandoned], Any]
"""What is done with a worker; it may ask whether its result is still wanted."""


class Order:
    """All the works of one request of one `client`; made on the event loop that waits for it.

    `taken` counts those that a worker has begun. Workers call `finish` and `fail` from threads of their own.
    """

    def __init__(self, works: Sequence[Work], client: str) -> None:
        self.works = works
        self.client = client
        self.taken = 0
        self.admitted = time.monotonic()
        self._abandoned = False
        self._outcomes: list[Any] = [None] * len(works)
        self._unfinished = len(works)
        self._counting = threading.Lock()
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[list[Any]] = self._loop.create_future()

    def is_abandoned(self) -> bool:
        """True once nobody waits for what it comes to."""
        return self._abandoned

    def abandon(self) -> int:
        """Nobody waits any more; how many works were not finished then."""
        with self._counting:
            self._abandoned = True
            return self._unfinished

    def finish(self, number: int, outcome: Any) -> None:
        """Work `number` came to `outcome`, which is a `SandboxError` where two sandboxes failed."""
        with self._counting:
            self._outcomes[number] = outcome
            self._unfinished -= 1
            last = self._unfinished == 0
        if last and not self._abandoned:
            self._wake(self._settle)

    def fail(self, error: BaseException) -> None:
        """None of it will be answered."""
        if not self._abandoned:
            self._wake(self._settle, error)

    async def outcomes(self, deadline: float | None, start_by: float | None) -> list[Any | SandboxError]:
        """What each work came to, in their order; both times are `time.monotonic`'s.

        Raises:
            DeadlineError: `deadline` passed before all were done, or `start_by` before one was begun.
        """
        timers = []
        if deadline is not None:
            timers.append(self._loop.call_at(deadline, self._expire))
        if start_by is not None:
            timers.append(self._loop.call_at(start_by, self._expire_if_unbegun))
        try:
            outcomes = await self._done
        finally:
            for timer in timers:
                timer.cancel()
        if deadline is not None and time.monotonic() >= deadline:
            raise _deadline_passed()
        return outcomes

    def _wake(self, settle: Callable[..., None], *error: BaseException) -> None:
        with suppress(RuntimeError):  # the loop is closed, and whoever waited on it is gone
            self._loop.call_soon_threadsafe(settle, *error)

    def _settle(self, error: BaseException | None = None) -> None:
        if self._done.done():
            return
        if error is None:
            self._done.set_result(self._outcomes)
        else:
            self._done.set_exception(error)

    def _expire(self) -> None:
        self._settle(_deadline_passed())

    def _expire_if_unbegun(self) -> None:
        if self.taken == 0:
            self._settle(DeadlineError("queue_wait", "no sandbox was free in time; try again"))


def _deadline_passed() -> DeadlineError:
    return DeadlineError("deadline_passed", "the request's own deadline passed before all was done")
