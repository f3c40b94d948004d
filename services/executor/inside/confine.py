"""What a program may use: resource limits, an unprivileged user, no network, no way up.

Everything here is called between `fork` and the program's first line, but for `prepare`, which confines the zygote
once. What it leaves out: file-system namespaces, a PID namespace and a system call filter.
"""

import ctypes
import os
import resource
import sys
from pathlib import Path
from typing import TypedDict

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 1, 36, 38
_CLONE_NEWNET = 0x40000000
_SIGKILL = 9
_OPEN_FILES = 64
STDLIB_FD = 4
"""An open folder: the way to the standard library for a user who may not walk the path that leads there."""

_libc = ctypes.CDLL(None, use_errno=True)


class Bounds(TypedDict):
    """The limits of one child; `uid` is null where the service itself is an ordinary user."""

    cpu_s: int
    memory_bytes: int
    file_bytes: int
    processes: int
    uid: int | None
    folder: str


def prepare() -> list[str]:
    """Confine the zygote as far as it goes for all its programs; the layers that are in force."""
    if _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "cannot adopt orphans")
    layers = ["process", "rlimits"]
    if os.geteuid() == 0:
        layers.append("uid")
        _open_stdlib()
        if _libc.unshare(_CLONE_NEWNET) == 0:
            layers.append("netns")
    return layers


def _open_stdlib() -> None:
    library = str(Path(os.__file__).parent)
    folder = os.open(library, os.O_RDONLY | os.O_DIRECTORY)
    os.dup2(folder, STDLIB_FD, inheritable=False)
    if folder != STDLIB_FD:
        os.close(folder)
    here = f"/proc/self/fd/{STDLIB_FD}"
    sys.path[:] = [here + path.removeprefix(library) for path in sys.path if path.startswith(library)]
    sys.path_importer_cache.clear()


def confine(bounds: Bounds) -> None:
    """Bind this process, and all it will ever start, to `bounds`.

    Raises:
        OSError: a layer could not be put in force; the program must not run.
    """
    os.chdir(bounds["folder"])
    others = 0 if bounds["uid"] is not None else _tasks_of_this_user()
    if (uid := bounds["uid"]) is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    for option, value in ((_PR_SET_NO_NEW_PRIVS, 1), (_PR_SET_PDEATHSIG, _SIGKILL)):
        if _libc.prctl(option, value, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl")
    for limit, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_CPU, bounds["cpu_s"]),
        (resource.RLIMIT_FSIZE, bounds["file_bytes"]),
        (resource.RLIMIT_NPROC, bounds["processes"] + others),
        (resource.RLIMIT_AS, bounds["memory_bytes"]),
    ):
        _limit(limit, most)
    os.umask(0o077)
    os.environ.clear()


def _limit(limit: int, most: int) -> None:
    """Set hard and soft limit to `most`, or to the hard limit in force where that is lower."""
    hard = resource.getrlimit(limit)[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(limit, (most, most))


def _tasks_of_this_user() -> int:
    """Threads that already count against an ordinary user's process limit."""
    mine, tasks = os.getuid(), 0
    for entry in os.scandir("/proc"):
        try:
            if entry.name.isdigit() and entry.stat().st_uid == mine:
                tasks += sum(1 for _ in Path(entry.path, "task").iterdir())
        except OSError:
            continue
    return tasks
