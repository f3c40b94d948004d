"""Starts children, waits until they are ready, restarts those that die, and ends them all in order.

    with Supervisor(specs, log_folder=..., announce=print) as supervisor:
        ...  # every child is ready, and kept alive until the block ends

One thread does all of it, because a child is tethered to the thread that started it (see `tether`). What this leaves
out: which children there are (`services.cli.stack`) and signals (`services.cli.interrupts`).
"""

import threading
import time
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from types import TracebackType

from services.cli.children import Child, ChildSpec, Stage, ending
from services.cli.errors import UsageError

Announce = Callable[[str], None]

_POLL_S = 0.1
_FIRST_DELAY_S = 0.5
_LONGEST_DELAY_S = 30.0
_STABLE_AFTER_S = 60.0


class Supervisor:
    """Keeps children alive from the beginning of its `with` block to the end.

    Entering raises `UsageError` if a child ends, or is not ready within `ready_within_s` seconds; then nothing is
    left running.
    """

    def __init__(
        self,
        specs: Sequence[ChildSpec],
        *,
        log_folder: Path,
        announce: Announce,
        ready_within_s: float = 180.0,
    ) -> None:
        ordered = sorted(specs, key=lambda spec: spec.stage)
        self._kept = [_Kept(Child(spec, log_folder), announce) for spec in ordered]
        self._ready_within_s = ready_within_s
        self._settled = threading.Event()
        self._stopping = threading.Event()
        self._killing = threading.Event()
        self._ended = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)

    @property
    def pids(self) -> dict[str, int]:
        """The process ids of the children by name, of those that were started."""
        return {kept.child.spec.name: kept.child.pid for kept in self._kept if kept.child.pid is not None}

    def __enter__(self) -> "Supervisor":
        self._thread.start()
        try:
            self._settled.wait()
            if self._failure:
                raise self._failure
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def wait(self) -> None:
        """Block until the children end, by `stop` or because supervising them failed; raises that failure."""
        self._ended.wait()
        if self._failure:
            raise self._failure

    def stop(self) -> None:
        """End every child, highest stage first, and return when nothing is left."""
        self._stopping.set()
        self._ended.wait()  # not `join()`: CPython 3.11 takes a thread for ended whose join a signal interrupted

    def kill(self) -> None:
        """Stop waiting for children that take their time: what is left is killed. Safe in a signal handler."""
        self._killing.set()
        self._stopping.set()

    def _run(self) -> None:
        try:
            self._start()
            self._settled.set()
            while not self._stopping.wait(_POLL_S):
                for kept in self._kept:
                    kept.tend()
        except Exception as failure:
            self._failure = failure
        finally:
            try:
                self._end()
            finally:
                self._settled.set()
                self._ended.set()

    def _start(self) -> None:
        """Start the brokers, wait for them, then start and await all the others at once."""
        deadline = time.monotonic() + self._ready_within_s
        for _, group in groupby(self._kept, key=lambda kept: kept.child.spec.stage is Stage.BROKER):
            waiting = list(group)
            for kept in waiting:
                kept.child.start()
            while waiting:
                if self._stopping.wait(_POLL_S):
                    return
                waiting = [kept for kept in waiting if not kept.came_up()]
                if waiting and time.monotonic() > deadline:
                    raise UsageError(_late(waiting, self._ready_within_s))

    def _end(self) -> None:
        backwards = reversed(self._kept)
        for _, stage in groupby(backwards, key=lambda kept: kept.child.spec.stage):
            children = [kept.child for kept in stage]
            for child in children:
                child.ask_to_end()
            self._wait_for(children)
            for child in children:
                child.sweep()

    def _wait_for(self, children: Sequence[Child]) -> None:
        asked = time.monotonic()
        while not self._killing.is_set():
            left = [child for child in children if child.alive and time.monotonic() - asked < child.spec.grace_s]
            if not left:
                return
            time.sleep(_POLL_S / 2)


class _Kept:
    """A child with its record of restarts: each comes twice as late as the one before, until it holds for a while."""

    def __init__(self, child: Child, announce: Announce) -> None:
        self.child = child
        self._announce = announce
        self._delay_s = _FIRST_DELAY_S
        self._started_at = time.monotonic()
        self._restart_at: float | None = None

    def came_up(self) -> bool:
        """Whether the child is ready; raises `UsageError` where it has ended instead."""
        if (code := self.child.exit_code()) is not None:
            raise UsageError(_stillborn(self.child, code))
        return self.child.spec.ready()

    def tend(self) -> None:
        """Notice a death, or do the restart that is due."""
        now = time.monotonic()
        if self._restart_at is None:
            if (code := self.child.exit_code()) is not None:
                self._bury(code, now)
        elif now >= self._restart_at:
            self._restart_at, self._started_at = None, now
            self.child.start()

    def _bury(self, code: int, now: float) -> None:
        if now - self._started_at > _STABLE_AFTER_S:
            self._delay_s = _FIRST_DELAY_S
        self.child.sweep()
        self._announce(f"{self.child.spec.name} ended with {ending(code)}; restarting it in {self._delay_s:g} s.")
        self._restart_at = now + self._delay_s
        self._delay_s = min(2 * self._delay_s, _LONGEST_DELAY_S)


def _stillborn(child: Child, code: int) -> str:
    words = child.last_words().removeprefix("linewise: ").rstrip(".")
    because = f": {words}" if words else ""
    return f"{child.spec.name} ended with {ending(code)} before it was ready{because} (log: {child.log_path})."


def _late(waiting: Sequence[_Kept], ready_within_s: float) -> str:
    names = ", ".join(kept.child.spec.name for kept in waiting)
    return f"{names}: not ready after {ready_within_s:g} s (log: {waiting[0].child.log_path})."
