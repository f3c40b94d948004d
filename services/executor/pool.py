"""The pool: a bounded queue before a fixed number of sandboxes, each driven by a thread of its own.

Each caller's programs wait in a lane of their own and lanes take turns, so a long batch holds nobody up. A sandbox
that fails is replaced and its program runs once more. How a program is run and judged is not known here.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from services.contracts import ExecuteReply
from services.executor.metrics import ExecutorMetrics
from services.executor.sandbox import Sandbox, SandboxError
from services.kit.errors import OverloadedError, TooLargeError, UnavailableError

logger = logging.getLogger(__name__)

IsAbandoned = Callable[[], bool]
Work = Callable[[Sandbox, IsAbandoned], ExecuteReply]
"""What is done with a sandbox; it may ask whether its result is still wanted."""


@dataclass(slots=True)
class _Job:
    work: Work
    admitted: float = field(default_factory=time.monotonic)
    future: "Future[ExecuteReply]" = field(default_factory=Future)
    abandoned: threading.Event = field(default_factory=threading.Event)

    def abandon(self) -> None:
        self.abandoned.set()
        self.future.cancel()


class Pool:
    """Runs work in sandboxes that `make_sandbox` makes, one for each worker number.

    Raises:
        SandboxError: a sandbox does not start.
    """

    def __init__(
        self, make_sandbox: Callable[[int], Sandbox], *, workers: int, queue_size: int, metrics: ExecutorMetrics
    ) -> None:
        self._make_sandbox = make_sandbox
        self._queue_size = queue_size
        self._metrics = metrics
        self._lanes: deque[deque[_Job]] = deque()
        self._waiting = 0
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._sandboxes: list[Sandbox] = []
        self._threads: list[threading.Thread] = []
        try:
            for number in range(workers):
                self._sandboxes.append(make_sandbox(number))
        except SandboxError:
            self.close()
            raise
        for number in range(workers):
            thread = threading.Thread(target=self._serve, args=(number,), name=f"sandbox-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    @property
    def isolation(self) -> str:
        """The layers in force, of the first sandbox: all are made alike."""
        return self._sandboxes[0].isolation

    async def run(self, works: Sequence[Work]) -> list[ExecuteReply | SandboxError]:
        """Do all of `works`; the results in their order, a `SandboxError` where two sandboxes failed.

        If the caller is cancelled, what waits is forgotten and what runs ends with its current test.

        Raises:
            TooLargeError: more than the queue could ever hold.
            OverloadedError: the queue has no room now.
            UnavailableError: the pool is closing.
        """
        jobs = [_Job(work) for work in works]
        self._admit(jobs)
        try:
            futures = [asyncio.wrap_future(job.future) for job in jobs]
            outcomes = await asyncio.gather(*futures, return_exceptions=True)
        finally:
            for job in jobs:
                job.abandon()
        return [_reply_or_failure(outcome) for outcome in outcomes]

    def close(self) -> None:
        """Refuse what waits, kill what runs, end every sandbox; returns when all are gone."""
        with self._changed:
            self._closing.set()
            waiting = [job for lane in self._lanes for job in lane]
            self._lanes.clear()
            self._changed.notify_all()
        for job in waiting:
            if job.future.set_running_or_notify_cancel():
                job.future.set_exception(_closing())
        for sandbox in list(self._sandboxes):
            sandbox.close()
        for thread in self._threads:
            thread.join()

    def _admit(self, jobs: list[_Job]) -> None:
        if len(jobs) > self._queue_size:
            raise TooLargeError("batch_too_large", f"send at most {self._queue_size} programs at once")
        with self._changed:
            if self._closing.is_set():
                raise _closing()
            if self._waiting + len(jobs) > self._queue_size:
                raise OverloadedError("overloaded", f"{self._waiting} programs wait already; come back later")
            if jobs:
                self._lanes.append(deque(jobs))
                self._count_waiting(len(jobs))
                self._changed.notify(len(jobs))

    def _count_waiting(self, more: int) -> None:
        self._waiting += more
        self._metrics.queued.set(self._waiting)

    def _take(self) -> _Job | None:
        """The next job that is still wanted, from the lane whose turn it is; None when the pool closes."""
        with self._changed:
            while not self._closing.is_set():
                if not self._lanes:
                    self._changed.wait()
                    continue
                lane = self._lanes.popleft()
                job = lane.popleft()
                if lane:
                    self._lanes.append(lane)
                self._count_waiting(-1)
                if job.future.set_running_or_notify_cancel():
                    return job
        return None

    def _serve(self, number: int) -> None:
        while job := self._take():
            started = time.monotonic()
            self._metrics.wait_seconds.observe(started - job.admitted)
            with self._metrics.running.track_inprogress():
                try:
                    job.future.set_result(self._run_twice_at_most(number, job))
                except Exception as error:
                    job.future.set_exception(error)
            self._metrics.run_seconds.observe(time.monotonic() - started)

    def _run_twice_at_most(self, number: int, job: _Job) -> ExecuteReply:
        try:
            return job.work(self._sandboxes[number], job.abandoned.is_set)
        except SandboxError:
            self._replace(number)
            try:
                return job.work(self._sandboxes[number], job.abandoned.is_set)
            except SandboxError:
                self._replace(number)
                raise

    def _replace(self, number: int) -> None:
        """Put a fresh sandbox in the place of a failed one."""
        if self._closing.is_set():
            raise _closing()
        logger.exception("a sandbox failed", extra={"worker": number})
        self._metrics.replaced.inc()
        self._sandboxes[number].close()
        fresh = self._make_sandbox(number)
        with self._changed:
            if not self._closing.is_set():
                self._sandboxes[number] = fresh
                return
        fresh.close()
        raise _closing()


def _closing() -> UnavailableError:
    return UnavailableError("draining", "the executor is shutting down")


def _reply_or_failure(outcome: ExecuteReply | BaseException) -> ExecuteReply | SandboxError:
    if isinstance(outcome, BaseException) and not isinstance(outcome, SandboxError):
        raise outcome
    return outcome
