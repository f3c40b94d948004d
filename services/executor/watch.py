"""Watches one child from outside: reads its streams while it runs, keeps the clock, has it killed at a limit."""

import json
import math
import os
import select
import socket
import time
from collections.abc import Callable

from services.executor.capture import Output
from services.executor.inside.zygote import CPU, KILL
from services.executor.reports import Answered, Broken, Compiled, Loaded, Reports, Said
from services.executor.sandbox import Cause, Ending, Failure, Phase, Report, SandboxError, Session, Usage

_MESSAGE_BYTES = 4096
_GRACE_S = 30.0
"""A zygote that cannot bury a killed child in this time has failed."""


class Watch:
    """One session under way, in a child of the zygote at the other end of `control`."""

    def __init__(self, session: Session, control: socket.socket, secret: str, mark: str) -> None:
        self._session = session
        self._control = control
        self._outputs = [Output(mark.encode(), session.bounds.output_bytes) for _ in range(2)]
        self._reports = Reports(secret.encode())
        self._phase = Phase.COMPILE
        self._cause: Cause | None = None
        self._failure: Failure | None = None
        self._tests_done = 0
        self._cpu_before = 0.0
        self._restart_clock()

    @property
    def writers(self) -> list[int]:
        """The child's stdout, stderr and reports."""
        return [pipe.writer for pipe in (*self._outputs, self._reports)]

    def hand_over(self) -> None:
        """Close our copies of the child's ends."""
        for pipe in (*self._outputs, self._reports):
            pipe.hand_over()

    def close(self) -> None:
        """Close every pipe."""
        for pipe in (*self._outputs, self._reports):
            pipe.close()

    def follow(self, keep_on: Callable[[Report], bool]) -> Ending:
        """Stay with the child until it and all its descendants are gone.

        Raises:
            SandboxError: the zygote is gone, or does not answer.
        """
        poller = select.poll()
        for pipe in (*self._outputs, self._reports):
            poller.register(pipe, select.POLLIN)
        poller.register(self._control, select.POLLIN)
        ending = None
        while ending is None:
            self._enforce_limits()
            ready = {descriptor for descriptor, _ in poller.poll(self._patience_ms())}
            for output in self._outputs:
                if output.reader in ready and not output.read():
                    poller.unregister(output)
            if self._reports.reader in ready and not self._read_reports(keep_on):
                poller.unregister(self._reports)
            if self._control.fileno() in ready:
                ending = self._hear()
        while self._read_reports(keep_on):
            pass
        wall_s, cpu_s = time.monotonic() - self._started, max(0.0, ending["cpu_s"] - self._cpu_before)
        usage = self._usage(wall_s, cpu_s, int(ending["memory_bytes"]))
        status = os.waitstatus_to_exitcode(int(ending["status"]))
        return Ending(self._phase, self._cause or Cause.EXIT, status, self._failure, usage)

    def _read_reports(self, keep_on: Callable[[Report], bool]) -> bool:
        """Hear what the child has to say; False where that is nothing."""
        reports = self._reports.read()
        for said in reports or ():
            if self._cause is None:
                self._take(said, keep_on)
        return reports is not None

    def _take(self, said: Said, keep_on: Callable[[Report], bool]) -> None:
        match said:
            case Compiled():
                self._phase = Phase.LOAD if self._session.stdin is None else Phase.TESTS
            case Loaded():
                self._phase = Phase.TESTS
            case Broken(failure):
                self._failure = failure
            case Answered() if said.number == self._tests_done < self._session.tests:
                self._finish_test(said, keep_on)
        if self._cause is None:
            self._restart_clock()

    def _finish_test(self, done: Answered, keep_on: Callable[[Report], bool]) -> None:
        self._tests_done += 1
        self._cpu_before += done.cpu_s
        usage = self._usage(done.wall_s, done.cpu_s, done.memory_bytes)
        wanted = keep_on(Report(done.values, done.failure, usage))
        if not wanted or usage.truncated:  # behind a cut nobody knows where the next test's output begins
            self._kill(Cause.STOPPED)

    def _usage(self, wall_s: float, cpu_s: float, memory_bytes: int) -> Usage:
        for output in self._outputs:
            output.drain()
        (stdout, cut), (stderr, cut_too) = (output.cut() for output in self._outputs)
        return Usage(wall_s, cpu_s, memory_bytes, stdout, stderr, cut or cut_too)

    def _hear(self) -> dict[str, float] | None:
        """Take the zygote's word: how the child ended, or how much processor time it has spent so far."""
        message = self._control.recv(_MESSAGE_BYTES)
        if not message:
            raise SandboxError("the zygote is gone")
        word: dict[str, float] = json.loads(message)
        if "status" in word:
            return word
        left_s = self._session.bounds.cpu_s - (word["cpu_s"] - self._cpu_before)
        if left_s <= 0 and self._cause is None:
            self._kill(Cause.CPU)
        self._cpu_check = time.monotonic() + left_s if self._cause is None else math.inf
        return None

    def _restart_clock(self) -> None:
        bounds = self._session.bounds
        self._started = time.monotonic()
        self._deadline = self._started + bounds.wall_s
        self._cpu_check = self._started + bounds.cpu_s if bounds.cpu_s < bounds.wall_s else math.inf

    def _patience_ms(self) -> float:
        left_s = min(self._deadline, self._cpu_check) - time.monotonic()
        return math.ceil(max(0.0, left_s) * 1000)

    def _enforce_limits(self) -> None:
        now = time.monotonic()
        if self._cause is not None:
            if now >= self._deadline:
                raise SandboxError("the zygote does not bury its child")
        elif self._reports.overflowing or any(output.overflowing for output in self._outputs):
            self._kill(Cause.OUTPUT)
        elif now >= self._deadline:
            self._kill(Cause.WALL)
        elif now >= self._cpu_check:
            self._cpu_check = math.inf
            self._control.send(CPU)

    def _kill(self, cause: Cause) -> None:
        self._cause = cause
        self._deadline, self._cpu_check = time.monotonic() + _GRACE_S, math.inf
        self._control.send(KILL)
