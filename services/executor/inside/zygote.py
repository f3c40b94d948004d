"""The zygote: a warm, single-threaded Python that forks one child for each program and buries what the child leaves.

It speaks with the service over one socket of messages: an order (JSON with the child's bounds, and five descriptors:
job, stdin, stdout, stderr, reports) is answered, when the child and all its descendants are gone, by how it ended. In
between the service may send `KILL` or ask for the child's processor time. The zygote never reads a job or a result,
so nothing of one program lies in the memory from which the next is forked.

It is the reaper of every process its programs start: one that has left its session is still found and killed.
"""

import fcntl
import gc
import importlib
import json
import os
import resource
import select
import signal
import socket
import time
from contextlib import suppress
from pathlib import Path

from services.executor.inside import confine, program

KILL, CPU = b"kill", b"cpu"
_MESSAGE_BYTES = 4096
_LOWEST_OWN_FD = 10  # the child wants those below for itself
_PRELOADED = (
    "array",
    "bisect",
    "cmath",
    "collections.abc",
    "copy",
    "dataclasses",
    "datetime",
    "decimal",
    "enum",
    "fractions",
    "functools",
    "heapq",
    "itertools",
    "math",
    "numbers",
    "operator",
    "random",
    "re",
    "statistics",
    "string",
    "textwrap",
    "typing",
)


def main(descriptor: int) -> None:
    """Serve orders from the socket `descriptor` until the service closes its end."""
    control = socket.socket(fileno=fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _LOWEST_OWN_FD))
    os.close(descriptor)
    layers = confine.prepare()
    for name in _PRELOADED:
        importlib.import_module(name)
    program.warm_up()
    gc.collect()
    gc.freeze()
    control.send(json.dumps({"layers": layers}).encode())
    while order := socket.recv_fds(control, _MESSAGE_BYTES, program.DESCRIPTORS):
        message, descriptors = order[0], order[1]
        if not message:
            return
        if descriptors:
            _run(control, json.loads(message), descriptors)


def _run(control: socket.socket, bounds: confine.Bounds, descriptors: list[int]) -> None:
    child = os.fork()
    if child == 0:
        program.enter(bounds, descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
    status, usage = _wait(control, child)
    _bury_descendants(child)
    ending = {"status": status, "cpu_s": usage.ru_utime + usage.ru_stime, "memory_bytes": usage.ru_maxrss * 1024}
    with suppress(BrokenPipeError):
        control.send(json.dumps(ending).encode())


def _wait(control: socket.socket, child: int) -> tuple[int, resource.struct_rusage]:
    """Wait for the child's end; a `KILL`, or the service's own end, brings it about."""
    handle = os.pidfd_open(child)
    try:
        poller = select.poll()
        poller.register(handle, select.POLLIN)
        poller.register(control, select.POLLIN)
        while handle not in dict(poller.poll()):
            message = control.recv(_MESSAGE_BYTES)
            if message == CPU:
                control.send(json.dumps({"cpu_s": _processor_time(child)}).encode())
            else:
                _kill(child)
                break
        return os.wait4(child, 0)[1:]
    finally:
        os.close(handle)


def _processor_time(pid: int) -> float:
    """Seconds of processor time of a process and its threads (the clock id is Linux' `MAKE_PROCESS_CPUCLOCK`)."""
    return time.clock_gettime((~pid << 3) | 2)


def _kill(pid: int) -> None:
    """Kill a child and its session's group; the child alone if it has not got that far yet."""
    for kill in (os.killpg, os.kill):
        with suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)


def _bury_descendants(child: int) -> None:
    """Kill and reap until nothing is left: the group at once, those who left it one by one as they come to us."""
    while True:
        try:
            found, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if found == 0:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child, signal.SIGKILL)
            for orphan in _children():
                _kill(orphan)
            time.sleep(0.0005)


def _children() -> list[int]:
    """The processes whose parent is this one, from /proc."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(stat.read_bytes().rpartition(b")")[2].split()[1]) == os.getpid():
                found.append(int(stat.parent.name))
    return found
