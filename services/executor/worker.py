"""What a worker is: it does one task after another in a sandbox of its own.

`LocalWorker` does them in this process; `services.executor.worker_process` has one in a process apart, so that what
the workers of a service split and judge meets at no interpreter lock.
"""

from collections.abc import Callable
from typing import Protocol

from services.contracts import RunCodeReply
from services.executor.done import Done
from services.executor.sandbox import Ending, Report, Sandbox, Session
from services.executor.tasks import Task, perform


class Worker(Protocol):
    """Does one task at a time."""

    @property
    def isolation(self) -> str:
        """The layers of its sandbox that are in force, joined by `+`."""
        ...

    def do(self, task: Task, is_abandoned: Callable[[], bool]) -> Done:
        """Do `task`; `is_abandoned` tells, while it is done, whether anybody still wants to know.

        Raises:
            SandboxError: the worker or its sandbox failed; it takes no more tasks and wants to be replaced.
        """
        ...

    def close(self) -> None:
        """End the worker and what it does; safe from any thread, and more than once."""
        ...


class LocalWorker:
    """A worker in this process, in `sandbox`, which it closes."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    @property
    def isolation(self) -> str:
        """See `Worker.isolation`."""
        return self._sandbox.isolation

    def do(self, task: Task, is_abandoned: Callable[[], bool]) -> Done:
        """See `Worker.do`."""
        counted = _Counted(self._sandbox)
        reply = perform(task, counted, is_abandoned)
        if isinstance(reply, RunCodeReply):
            return Done.ran(reply, self.isolation, counted.sessions)
        return Done.examined(reply, counted.sessions)

    def close(self) -> None:
        """See `Worker.close`."""
        self._sandbox.close()


class _Counted:
    """`sandbox`, with the number of sessions that ran in it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self.sessions = 0

    @property
    def isolation(self) -> str:
        return self._sandbox.isolation

    def run(self, session: Session, keep_on: Callable[[Report], bool]) -> Ending:
        self.sessions += 1
        return self._sandbox.run(session, keep_on)

    def close(self) -> None:
        self._sandbox.close()
