"""A worker's process: it makes its sandbox, then does what it is told, a task at a time, until its lifeline is cut.

    greeting:  READY and the sandbox's isolation, or REFUSED and the reason
    TASK    -> DONE with what that came to, FAILED or CRASHED with the reason
    ABANDON    nobody wants to know what the task under way comes to; it ends with its current test

It has no key and no connection of the service, and what it says of a program is JSON.
"""

import gc
import json
import logging
import os
import signal
import socket
import threading
import traceback
from contextlib import suppress

from services.executor.line import Line
from services.executor.making import SandboxPlan, make_sandbox
from services.executor.sandbox import Sandbox, SandboxError
from services.executor.tasks import unpack
from services.executor.worker import LocalWorker

READY, REFUSED, TASK, ABANDON, DONE, FAILED, CRASHED = (bytes([letter]) for letter in b"RXTADFC")
_GARBAGE = 50_000
"""Objects made before a collection, instead of 700: a test's syntax tree is some hundreds, and has no cycles."""


def main(control: int, lifeline: int, plan: str) -> None:
    """Serve one end of a socket pair, `control`, while somebody holds the other end of the pipe `lifeline`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(level=logging.WARNING)
    line = Line(socket.socket(fileno=control))
    with suppress(OSError, EOFError):
        try:
            sandbox = make_sandbox(SandboxPlan(**json.loads(plan)))
        except SandboxError as error:
            line.send(REFUSED, str(error).encode())
            return
        gc.freeze()
        gc.set_threshold(_GARBAGE)
        threading.Thread(target=_end_with, args=(lifeline, sandbox, line), daemon=True).start()
        try:
            line.send(READY, sandbox.isolation.encode())
            _serve(line, LocalWorker(sandbox))
        finally:
            sandbox.close()


def _end_with(lifeline: int, sandbox: Sandbox, line: Line) -> None:
    while os.read(lifeline, 1):
        pass
    sandbox.close()
    line.hang_up()


def _serve(line: Line, worker: LocalWorker) -> None:
    while True:
        kind, body = line.receive()
        if kind == TASK:
            line.send(*_answer(line, worker, body))


def _answer(line: Line, worker: LocalWorker, body: bytes) -> tuple[bytes, bytes]:
    try:
        done = worker.do(unpack(body), line.is_spoken_to)
    except SandboxError as error:
        return FAILED, str(error).encode()
    except Exception as error:
        return CRASHED, _account(error).encode()
    return DONE, done.pack()


def _account(error: Exception) -> str:
    """Where it was raised and its type; its message may quote what was submitted, which no log is to hold."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    return f"Traceback (most recent call last):\n{frames}{type(error).__name__}"
