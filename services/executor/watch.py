"""Watches one child from outside: keeps the clock, looks into its pipes now and then, has it killed at a limit.

Most children end before the first look, so that one message from the zygote is all that anybody is woken for.
"""

import os
import select
import socket
import time
from collections.abc import Callable

from services.executor.capture import Output
from services.executor.child import CHILD_DESCRIPTORS, Child
from services.executor.inside.zygote import ENDING
from services.executor.reports import Answered, Broken, Compiled, Loaded, Reports, Said
from services.executor.sandbox import Cause, Ending, Failure, Phase, Report, SandboxError, Session, Usage

_SHORTEST_LOOK_S, _LOOK_S = 0.002, 0.02
_GRACE_S = 30.0
"""A zygote that cannot bury a killed child in this time has failed."""


class Watch:
    """One session under way in `child`, whose zygote is at the other end of `control`."""

    def __init__(self, session: Session, child: Child, control: socket.socket, secret: str, mark: str) -> None:
        self._session = session
        self._child = child
        self._control = control
        most = session.bounds.output_bytes
        self._stdout, self._stderr = (Output(reader, mark.encode(), most) for reader in (child.stdout, child.stderr))
        self._outputs = (self._stdout, self._stderr)
        self._reports = Reports(child.reports, secret.encode())
        self._phase = Phase.COMPILE
        self._cause: Cause | None = None
        self._failure: Failure | None = None
        self._tests_done = 0
        self._cpu_before = 0.0
        self._look_s = min(session.bounds.cpu_s, _LOOK_S)
        self._restart_clock()

    def follow(self, keep_on: Callable[[Report], bool]) -> tuple[Ending, Child]:
        """Stay with the child until it and all its descendants are gone; how that was, and the next child.

        Raises:
            SandboxError: the zygote is gone, or does not answer.
        """
        poller = select.poll()
        poller.register(self._control, select.POLLIN)
        while self._control.fileno() not in (events := dict(poller.poll(self._patience_ms()))):
            for descriptor, event in events.items():
                if self._cause or not event & select.POLLIN:
                    poller.unregister(descriptor)
            self._look(keep_on)
            self._enforce_limits()
            for source in (*self._outputs, self._reports):
                if source.fills_fast and not self._cause:
                    poller.register(source.reader, select.POLLIN)
        status, cpu_s, memory_bytes, child = self._hear()
        self._look(keep_on)
        wall_s, cpu_s = time.monotonic() - self._started, max(0.0, cpu_s - self._cpu_before)
        usage = self._usage(wall_s, cpu_s, memory_bytes)
        exit_code = os.waitstatus_to_exitcode(status)
        return Ending(self._phase, self._cause or Cause.EXIT, exit_code, self._failure, usage), child

    def _look(self, keep_on: Callable[[Report], bool]) -> None:
        """Take in what the child has written: the reports first, so that the outputs hold what they tell of."""
        said = self._reports.drain()
        for output in self._outputs:
            output.drain()
        for report in said:
            if self._cause is None:
                self._take(report, keep_on)
        if said and self._cause is None:
            self._restart_clock()

    def _take(self, said: Said, keep_on: Callable[[Report], bool]) -> None:
        match said:
            case Answered() if said.number == self._tests_done < self._session.tests:
                self._finish_test(said, keep_on)
            case Compiled():
                self._phase = Phase.LOAD if self._session.stdin is None else Phase.TESTS
            case Loaded():
                self._phase = Phase.TESTS
            case Broken(failure):
                self._failure = failure

    def _finish_test(self, done: Answered, keep_on: Callable[[Report], bool]) -> None:
        self._tests_done += 1
        self._cpu_before += done.cpu_s
        usage = self._usage(done.wall_s, done.cpu_s, done.memory_bytes)
        wanted = keep_on(Report(done.values, done.failure, usage))
        if not wanted or usage.truncated:  # behind a cut nobody knows where the next test's output begins
            self._kill(Cause.STOPPED)

    def _usage(self, wall_s: float, cpu_s: float, memory_bytes: int) -> Usage:
        (stdout, cut), (stderr, cut_too) = self._stdout.cut(), self._stderr.cut()
        return Usage(wall_s, cpu_s, memory_bytes, stdout, stderr, cut or cut_too)

    def _hear(self) -> tuple[int, float, int, Child]:
        """Take the zygote's word: how the child ended, and the next."""
        message, descriptors, _, _ = socket.recv_fds(
            self._control, ENDING.size, CHILD_DESCRIPTORS, socket.MSG_CMSG_CLOEXEC
        )
        if len(message) != ENDING.size or len(descriptors) != CHILD_DESCRIPTORS:
            raise SandboxError("the zygote is gone")
        status, cpu_s, memory_bytes = ENDING.unpack(message)
        return status, cpu_s, memory_bytes, Child(*descriptors)

    def _restart_clock(self) -> None:
        self._started = time.monotonic()
        self._deadline = self._started + self._session.bounds.wall_s

    def _patience_ms(self) -> float:
        """Until the next look; `poll` rounds it up, or the last would come just before the limit."""
        return max(0.0, min(self._deadline - time.monotonic(), self._look_s)) * 1000

    def _enforce_limits(self) -> None:
        late = time.monotonic() >= self._deadline
        if self._cause is not None:
            if late:
                raise SandboxError("the zygote does not bury its child")
        elif self._reports.overflowing or any(output.overflowing for output in self._outputs):
            self._kill(Cause.OUTPUT)
        elif late:
            self._kill(Cause.WALL)
        else:
            self._enforce_processor_time()

    def _enforce_processor_time(self) -> None:
        """Come back no later than the one thread that most children are can reach the limit."""
        left_s = self._session.bounds.cpu_s + self._cpu_before - self._child.processor_time()
        if left_s <= 0:
            self._kill(Cause.CPU)
        else:
            self._look_s = max(_SHORTEST_LOOK_S, min(left_s, _LOOK_S))

    def _kill(self, cause: Cause) -> None:
        self._cause = cause
        self._look_s = _LOOK_S
        self._deadline = time.monotonic() + _GRACE_S
        self._child.kill()
