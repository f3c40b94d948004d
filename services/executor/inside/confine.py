"""What binds a program: its user, limits, Landlock and the system call filter, from `fork` to its first line.

`prepare` makes in the zygote, once, what `confine` puts in force in each child.
"""

import os
import resource
import sys
from pathlib import Path
from typing import NamedTuple, TypedDict

from services.executor.inside import landlock, linux, seccomp
from services.executor.inside.jail import FOLDER, PROGRAM_UID, Plan

_OPEN_FILES = 64
_LAUNCHER_ZYGOTE_AND_SPARE = 3
REPORTS_FD = 3
STDLIB_FD = 4
"""An open folder: the way to the standard library for a user who may not walk the path that leads there."""


class Bounds(TypedDict):
    """The limits of one child."""

    cpu_s: int
    memory_bytes: int
    file_bytes: int
    processes: int


class Walls(NamedTuple):
    """The layers that children get, by name, and why one is missing.

    `uid` is null where no other user is to be had; `closed` are ranges of descriptors that are no child's; `ruleset`
    and `filter` are what each child has still to put in force itself.
    """

    layers: tuple[str, ...]
    missing: dict[str, str]
    uid: int | None
    in_jail: bool
    closed: tuple[tuple[int, int], ...]
    ruleset: int | None
    filter: linux.SeccompProgram | None


def prepare(plan: Plan) -> Walls:
    """Bind the zygote itself as far as goes, and make ready what binds its children.

    In a jail, where programs can't reach the zygote, it takes on Landlock and the filter before any child does, and
    each child has them from birth. Elsewhere they would give it no protection from its programs: each child takes them.
    """
    in_jail = plan["namespaces"]
    linux.drop_bounding_set()
    linux.forbid_new_privileges()
    os.umask(0o077)
    for limit, most in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_NOFILE, _OPEN_FILES)):
        resource.setrlimit(limit, (most, most))
    if not in_jail:
        linux.adopt_orphans()
        _open_stdlib()
    layers, missing = ["namespaces"] if in_jail else [], dict[str, str]()
    ruleset = system_calls = None
    try:
        system_calls = seccomp.make_filter(
            signals=_may_signal(plan), attributes=in_jail or plan["uids"] is not None, zygote=in_jail
        )
        layers.append("seccomp")
    except OSError as error:
        missing["seccomp"] = str(error)
    try:
        folder = FOLDER if in_jail else Path(plan["folder"])
        listable = plan["paths"] if in_jail else ()  # there is nothing in them but the packages
        ruleset = landlock.make_ruleset(plan["readable"], plan["devices"], folder, listable)
        layers.append("landlock")
    except OSError as error:
        missing["landlock"] = str(error)
    walls = Walls((*layers, "rlimits"), missing, _user(plan), in_jail, (), ruleset, system_calls)
    if in_jail:
        _put_in_force(walls)
        return walls._replace(closed=_all_above(REPORTS_FD), ruleset=None, filter=None)
    return walls._replace(closed=_all_above(STDLIB_FD, ruleset))


def _all_above(kept: int, ruleset: int | None = None) -> tuple[tuple[int, int], ...]:
    """The descriptors above `kept`, but for the rules."""
    if ruleset is None:
        return ((kept + 1, _OPEN_FILES),)
    return (kept + 1, ruleset - 1), (ruleset + 1, _OPEN_FILES)


def _may_signal(plan: Plan) -> bool:
    """False where neither a PID namespace nor another user nor Landlock keeps a program's signals to itself."""
    if plan["namespaces"] or plan["uids"] is not None:
        return True
    try:
        return landlock.version() >= landlock.SIGNALS_SINCE
    except OSError:
        return False


def _open_stdlib() -> None:
    library = str(Path(os.__file__).parent)
    folder = os.open(library, os.O_RDONLY | os.O_DIRECTORY)
    os.dup2(folder, STDLIB_FD, inheritable=False)
    os.close(folder)
    here = f"/proc/self/fd/{STDLIB_FD}"
    loaded = [module.__path__ for module in sys.modules.values() if isinstance(getattr(module, "__path__", None), list)]
    for paths in (sys.path, *loaded):
        paths[:] = [here + path.removeprefix(library) for path in paths if path.startswith(library)]
    sys.path_importer_cache.clear()


def _user(plan: Plan) -> int | None:
    if plan["uids"] is None:
        return None
    return PROGRAM_UID if plan["namespaces"] else plan["uids"][1]


def confine(bounds: Bounds, walls: Walls) -> None:
    """Bind this process, and all it will ever start.

    Raises:
        OSError, ValueError: a layer could not be put in force; the program must not run.
    """
    processes = bounds["processes"] + (0 if walls.uid is not None else _company(walls))
    if walls.uid is not None:
        os.setgroups([])
        os.setresgid(walls.uid, walls.uid, walls.uid)
        os.setresuid(walls.uid, walls.uid, walls.uid)
    else:
        linux.drop_capabilities()
    if not walls.in_jail:
        linux.die_with_parent()
    _limit(resource.RLIMIT_CPU, bounds["cpu_s"])
    _limit(resource.RLIMIT_FSIZE, bounds["file_bytes"])
    _limit(resource.RLIMIT_NPROC, processes)
    _limit(resource.RLIMIT_AS, bounds["memory_bytes"])
    _put_in_force(walls)


def _limit(limit: int, most: int) -> None:
    """Set hard and soft limit to `most`, or to the hard limit in force where that is lower."""
    try:
        resource.setrlimit(limit, (most, most))
    except ValueError:
        most = min(most, resource.getrlimit(limit)[1])
        resource.setrlimit(limit, (most, most))


def _put_in_force(walls: Walls) -> None:
    if walls.ruleset is not None:
        landlock.restrict(walls.ruleset)
        os.close(walls.ruleset)
    if walls.filter is not None:
        linux.install_filter(walls.filter)


def _company(walls: Walls) -> int:
    """Processes and threads that count against the same user as the program's own."""
    return _LAUNCHER_ZYGOTE_AND_SPARE if walls.in_jail else _tasks_of_this_user()


def _tasks_of_this_user() -> int:
    mine, tasks = os.getuid(), 0
    for entry in os.scandir("/proc"):
        try:
            if entry.name.isdigit() and entry.stat().st_uid == mine:
                tasks += sum(1 for _ in Path(entry.path, "task").iterdir())
        except OSError:
            continue
    return tasks
