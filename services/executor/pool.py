"""The pool: a bounded queue before a fixed number of workers, each driven by a thread of its own.

Who is next, `services.executor.lanes` decides. A worker that fails is replaced and its program runs once more; one
that does not start is tried again, with back-off, while the others go on. How a program is run and judged is not
known here.
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

from services.executor.lanes import Lanes
from services.executor.metrics import ExecutorMetrics
from services.executor.order import Order, Work
from services.executor.sandbox import SandboxError
from services.executor.seat import Seat
from services.executor.worker import Worker
from services.kit.errors import DeadlineError, OverloadedError, ServiceError, TooLargeError, UnavailableError

_FIRST_RETRY_S, _LONGEST_RETRY_S = 0.1, 10.0
_STARTS_AT_ONCE = 8


class Pool:
    """Gives work to workers that `make_worker` makes, each by its number.

    Raises:
        SandboxError: a worker does not start.
    """

    def __init__(
        self, make_worker: Callable[[int], Worker], *, workers: int, queue_size: int, metrics: ExecutorMetrics
    ) -> None:
        self._queue_size = queue_size
        self._metrics = metrics
        self._lanes = Lanes()
        self._running = 0
        self._changed = threading.Condition()
        self._draining = False
        self._closing = threading.Event()
        self._seats = _take_seats(make_worker, workers, metrics)
        self._threads: list[threading.Thread] = []
        self.isolation = self._seats[0].worker.isolation
        """The layers in force, of the first sandbox: all are made alike."""
        metrics.watch_pool(lambda: self._lanes.waiting, lambda: self._running, lambda: self._live, self.isolation)
        for number, seat in enumerate(self._seats):
            thread = threading.Thread(target=self._serve, args=(seat,), name=f"worker-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    @property
    def able(self) -> bool:
        """False while no worker has a sandbox and none could be started."""
        return not all(seat.down for seat in self._seats)

    @property
    def _live(self) -> int:
        return sum(not seat.vacant for seat in self._seats)

    async def run(
        self,
        works: Sequence[Work],
        *,
        client: str = "",
        deadline: float | None = None,
        start_by: float | None = None,
    ) -> list[Any]:
        """Do all of `works`; the results in their order, a `SandboxError` where two sandboxes failed.

        `client` is who asks: clients take turns. `deadline` and `start_by` are `time.monotonic`'s. If the caller is
        cancelled or a time passes, what waits is forgotten and what runs ends with its current test.

        Raises:
            TooLargeError: more than the queue could ever hold.
            OverloadedError: the queue has no room now.
            UnavailableError: the pool is draining, or has no sandbox.
            DeadlineError: `deadline` passed before all were done, or `start_by` before one was begun.
        """
        if not works:
            return []
        order = Order(works, client)
        self._admit(order)
        try:
            return await order.outcomes(deadline, start_by)
        except DeadlineError:
            self._metrics.deadline_passed.inc()
            raise
        finally:
            self._forget(order)

    def refusal(self, works: int = 1) -> ServiceError | None:
        """Why so many works would not be taken in now; None where they would. A glance, without the lock."""
        if self._draining or not self.able:
            return self._unavailable()
        if self._lanes.waiting + works > self._queue_size:
            return OverloadedError("overloaded", f"{self._lanes.waiting} programs wait already; come back later")
        return None

    def refuse(self) -> None:
        """From now on nothing new is begun: what waits and what comes is answered 503; what runs goes on."""
        with self._changed:
            self._draining = True
        self._refuse_waiting()

    def close(self) -> None:
        """Refuse what waits, kill what runs, end every sandbox; returns when all are gone."""
        self._closing.set()
        self.refuse()
        with self._changed:
            self._changed.notify_all()
        for seat in self._seats:
            seat.close()
        for thread in self._threads:
            thread.join()

    def _admit(self, order: Order) -> None:
        if len(order.works) > self._queue_size:
            raise TooLargeError("batch_too_large", f"send at most {self._queue_size} programs at once")
        with self._changed:
            if refusal := self.refusal(len(order.works)):
                raise refusal
            self._lanes.add(order)
            self._changed.notify(len(order.works))

    def _forget(self, order: Order) -> None:
        unfinished = order.abandon()
        if unfinished:
            self._metrics.abandoned.inc(unfinished)
            with self._changed:
                self._lanes.drop(order)

    def _refuse_waiting(self) -> None:
        with self._changed:
            orders = self._lanes.clear()
        for order in orders:
            order.fail(self._unavailable())

    def _unavailable(self) -> UnavailableError:
        if self._draining:
            return UnavailableError("draining", "the executor is shutting down")
        return UnavailableError("no_sandbox", "no sandbox starts at the moment; come back later")

    def _serve(self, seat: Seat) -> None:
        while self._occupied(seat) and (job := self._take()):
            order, number = job
            started = time.monotonic()
            self._metrics.wait_seconds.observe(started - order.admitted)
            try:
                answer = partial(order.finish, number, self._run_twice_at_most(seat, order, number))
            except Exception as error:
                answer = partial(order.fail, error)
            self._metrics.run_seconds.observe(time.monotonic() - started)
            with self._changed:
                self._running -= 1
            answer()

    def _take(self) -> tuple[Order, int] | None:
        """The next work, when there is one; None when the pool closes."""
        with self._changed:
            while not self._closing.is_set():
                if job := self._lanes.take():
                    self._running += 1
                    return job
                self._changed.wait()
        return None

    def _run_twice_at_most(self, seat: Seat, order: Order, number: int) -> Any:
        """What the work came to; a `SandboxError` where it failed in two sandboxes, or no second one started."""
        work = order.works[number]
        with suppress(SandboxError):
            return self._run(seat, order, work)
        if not seat.occupy() and not self._closing.is_set():
            return SandboxError("the sandbox failed, and no other starts")
        try:
            return self._run(seat, order, work)
        except SandboxError as error:
            return error

    def _run(self, seat: Seat, order: Order, work: Work) -> Any:
        if self._closing.is_set():
            raise self._unavailable()
        try:
            return work(seat.worker, order.is_abandoned)
        except SandboxError:
            if self._closing.is_set():
                raise self._unavailable() from None
            seat.vacate()
            raise

    def _occupied(self, seat: Seat) -> bool:
        """See that the seat has a sandbox, however long that takes; False when the pool closes."""
        wait_s = 0.0
        while seat.vacant and not self._closing.wait(wait_s):
            if not seat.occupy() and not self.able:
                self._refuse_waiting()
            wait_s = min(max(_FIRST_RETRY_S, 2 * wait_s), _LONGEST_RETRY_S)
        return not self._closing.is_set()


def _take_seats(make_worker: Callable[[int], Worker], workers: int, metrics: ExecutorMetrics) -> list[Seat]:
    """A seat for each worker, some started side by side; where one does not start, none stays."""
    with ThreadPoolExecutor(min(workers, _STARTS_AT_ONCE)) as starting:
        starts = [starting.submit(Seat, number, make_worker, metrics) for number in range(workers)]
    failures = [error for start in starts if (error := start.exception())]
    if not failures:
        return [start.result() for start in starts]
    for start in starts:
        if not start.exception():
            start.result().close()
    raise failures[0]
