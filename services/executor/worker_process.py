"""A worker in a process of its own, as the service has it: started, given tasks, and ended with all that it runs."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from services.executor.done import Done
from services.executor.line import Line
from services.executor.making import SandboxPlan
from services.executor.sandbox import SandboxError
from services.executor.tasks import Task, pack
from services.executor.worker_main import ABANDON, CRASHED, DONE, READY, TASK

_SOURCES = Path(__file__).parents[2]
_BOOT = (
    "import sys; sys.path[0] = sys.argv[1]; from services.executor.worker_main import main; "
    "main(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])"
)
_START_S = 60.0
_END_S = 30.0
_LOOK_S = 0.05
"""How late, at most, a worker hears that nobody wants its result any more."""


class WorkerProcess:
    """See `services.executor.worker.Worker`.

    Raises:
        SandboxError: it did not start, or its sandbox did not.
    """

    def __init__(self, plan: SandboxPlan) -> None:
        near_end, far_end = socket.socketpair()
        held, self._lifeline = os.pipe()
        self._in_use = threading.Lock()
        self._ending, self._is_ended = threading.Lock(), False
        self._line = Line(near_end)
        try:
            self._process = _start(far_end.fileno(), held, plan)
        except OSError as error:
            os.close(self._lifeline)
            self._line.close()
            raise SandboxError(f"the worker's process does not start: {error}") from error
        finally:
            os.close(held)
            far_end.close()
        try:
            self.isolation = self._hear_greeting()
        except BaseException:
            self.close()
            raise

    def do(self, task: Task, is_abandoned: Callable[[], bool]) -> Done:
        """See `Worker.do`.

        Raises:
            SandboxError: the sandbox failed, or the process has ended.
            RuntimeError: a fault of our own, with the worker's traceback.
        """
        with self._in_use:
            try:
                self._line.send(TASK, pack(task))
                told = False
                while not self._line.is_spoken_to(within_s=_LOOK_S):
                    if not told and is_abandoned():
                        self._line.send(ABANDON)
                        told = True
                kind, body = self._line.receive()
            except (OSError, EOFError) as error:
                raise SandboxError("the worker's process is gone") from error
        if kind == DONE:
            return Done.unpack(body)
        if kind == CRASHED:
            raise RuntimeError(body.decode())
        raise SandboxError(body.decode())

    def close(self) -> None:
        """See `Worker.close`: the lifeline is cut, and with it ends the sandbox and all that runs in it."""
        with self._ending:
            if not self._is_ended:
                self._is_ended = True
                os.close(self._lifeline)
            try:
                self._process.wait(timeout=_END_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            with self._in_use:
                self._line.close()

    def _hear_greeting(self) -> str:
        if not self._line.is_spoken_to(within_s=_START_S):
            raise SandboxError("the worker's process does not greet")
        try:
            kind, body = self._line.receive()
        except (OSError, EOFError) as error:
            raise SandboxError("the worker's process did not start; its traceback is on stderr") from error
        if kind != READY:
            raise SandboxError(body.decode())
        return body.decode()


def _start(control: int, lifeline: int, plan: SandboxPlan) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(  # noqa: S603 (our own interpreter, our own script)
        [sys.executable, "-c", _BOOT, str(_SOURCES), str(control), str(lifeline), json.dumps(asdict(plan))],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env={name: value for name, value in os.environ.items() if not name.startswith("LINEWISE_")},
        pass_fds=[control, lifeline],
        start_new_session=True,
    )
