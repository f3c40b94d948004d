"""The zygote: a warm, single-threaded Python from which each program's process is forked, one ahead of need.

It speaks with the service over one socket of messages. It greets with its layers and, as descriptors, the program's
folder, itself, and the first child; from then on each `NEXT` is answered, when the child in use and all that came of
it are gone, by how that ended, and by the next child. A child comes as five descriptors: where to write its job, where
to read its reports, its stdout and its stderr, and the process. So the zygote never sees a job or a result, and
nothing of one program lies in the memory from which the next is forked. Killing is the service's affair.

In a jail each child is the first process of a PID namespace, and its end is the end of all that it started; elsewhere
the zygote is the reaper of every process its programs start, and one that has left its session is still found.
"""

import fcntl
import gc
import importlib
import json
import os
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from services.executor.inside import confine, jail, linux, pools, program

NEXT = b"n"
ENDING = struct.Struct("=idq")
"""Wait status, seconds of processor time, peak resident bytes."""
_LOWEST_OWN_FD = 10
_GARBAGE = 20_000
"""Objects made before a collection, instead of 700: most programs end before their first."""
_PRELOADED = (
    "bisect",
    "collections.abc",
    "copy",
    "datetime",
    "functools",
    "heapq",
    "itertools",
    "math",
    "operator",
    "random",
    "re",
    "string",
    "typing",
)


def main(control: int, lifeline: int, plan: jail.Plan) -> None:
    """Fork the zygote and stay as its guard: it does not outlive the service, which holds the lifeline's other end."""
    line = socket.socket(fileno=fcntl.fcntl(control, fcntl.F_DUPFD_CLOEXEC, _LOWEST_OWN_FD))
    os.close(control)
    Path("/proc/self/oom_score_adj").write_text("1000")  # where memory runs out a program is to go, and not the service
    sys.executable = str(Path(sys.executable).resolve())
    if plan["namespaces"]:
        try:
            jail.enter(plan)
        except OSError as error:
            line.send(json.dumps({"error": str(error)}).encode())
            return
    zygote = os.fork()
    if zygote == 0:
        os.close(lifeline)
        linux.die_with_parent()
        _Zygote(line, plan).serve()
        os._exit(0)
    line.close()
    _stand_guard(lifeline)


def _stand_guard(lifeline: int) -> None:
    """Wait for the lifeline's end; as `cat`, where there is one, which does that in a tenth of the memory."""
    os.dup2(lifeline, 0)
    with suppress(OSError):
        os.execv("/bin/cat", ["cat"])  # noqa: S606
    while os.read(0, 1):
        pass


class _Zygote:
    def __init__(self, control: socket.socket, plan: jail.Plan) -> None:
        _reserve_low_descriptors()
        self._control = control
        self._in_jail = plan["namespaces"]
        self._myself = os.pidfd_open(os.getpid())
        folder = str(jail.FOLDER) if self._in_jail else plan["folder"]
        os.chdir(folder)
        self._folder = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        self._walls = confine.prepare(plan)
        sys.path.extend(plan["paths"])
        for name in (*_PRELOADED, *plan["packages"]):
            importlib.import_module(name)
        program.warm_up()
        gc.collect()
        gc.freeze()
        self._kept = pools.begin_fresh_pools()
        gc.set_threshold(_GARBAGE)

    def serve(self) -> None:
        """Answer until the service closes its end."""
        child, descriptors = self._fork()
        greeting = {"layers": self._walls.layers, "missing": self._walls.missing}
        socket.send_fds(self._control, [json.dumps(greeting).encode()], [self._folder, self._myself, *descriptors])
        _close(descriptors)
        while self._control.recv(1):
            if self._in_jail:
                ahead, descriptors = self._fork()
                ending = _bury(child)
            else:
                ending = _bury(child)
                _bury_descendants(child)
                ahead, descriptors = self._fork()
            socket.send_fds(self._control, [ending], descriptors)
            _close(descriptors)
            child = ahead

    def _fork(self) -> tuple[int, list[int]]:
        """A child that waits for its job, and the service's ends of what it holds."""
        channel, reports = os.pipe(), os.pipe()
        stdout, stderr = os.pipe(), os.pipe()
        if self._in_jail:
            linux.unshare(linux.CLONE_NEWPID)
        child = os.fork()
        if child == 0:
            program.enter((channel[0], stdout[1], stderr[1], reports[1]), self._walls)
        if self._in_jail:
            linux.join_namespace(self._myself, linux.CLONE_NEWPID)
        _close([channel[0], stdout[1], stderr[1], reports[1]])
        return child, [channel[1], reports[0], stdout[0], stderr[0], os.pidfd_open(child)]


def _reserve_low_descriptors() -> None:
    """Leave those below for the children's streams, so that none of theirs is ever one of ours."""
    while os.open(os.devnull, os.O_RDWR) < _LOWEST_OWN_FD - 1:
        pass


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _bury(child: int) -> bytes:
    _, status, usage = os.wait4(child, 0)
    return ENDING.pack(status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def _bury_descendants(child: int) -> None:
    """Kill and reap until nothing is left: the group at once, those who left it one by one as they come to us."""
    while True:
        try:
            found, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if found == 0:
            _kill(os.killpg, child)
            for orphan in _children():
                _kill(os.killpg, orphan)
                _kill(os.kill, orphan)
            time.sleep(0.0005)


def _kill(kill: Callable[[int, int], None], target: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        kill(target, signal.SIGKILL)


def _children() -> list[int]:
    """The processes whose parent is this one, from /proc."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(stat.read_bytes().rpartition(b")")[2].split()[1]) == os.getpid():
                found.append(int(stat.parent.name))
    return found
