"""Makes the sandbox of each worker: under users of its own where it may, proved before it serves."""

import os
import secrets
from collections.abc import Callable
from functools import partial
from pathlib import Path

from services.executor.flavours import Flavours
from services.executor.forkserver import ForkServer
from services.executor.sandbox import Sandbox, SandboxError
from services.executor.settings import ExecutorSettings
from services.executor.tiers import demand, prove

_FIRST_UID, _UIDS = 20_000, 40_000
_CHOWN, _KILL, _SETGID, _SETUID = 0, 5, 6, 7


def sandbox_maker(settings: ExecutorSettings) -> Callable[[int], Sandbox]:
    """Makes the sandbox of a worker, given its number.

    Where the service may choose users, each worker has two, for its zygotes and for their programs, which no other
    executor is likely to use. What is made raises `SandboxError` where a sandbox does not start, has fewer layers than
    the settings allow, or fails the self-test.
    """
    first = _FIRST_UID + secrets.randbelow(_UIDS - 2 * settings.workers) if may_choose_users() else None

    def make(number: int) -> Sandbox:
        uids = None if first is None else (first + 2 * number, first + 2 * number + 1)
        plain = _proved(settings, uids, packages=())
        loaded = partial(_proved, settings, uids, packages=settings.packages)
        return Flavours(plain, loaded, settings.packages)

    return make


def may_choose_users() -> bool:
    """True for root with root's capabilities over users and their processes, where there are users to choose."""
    if os.geteuid() != 0:
        return False
    lines = Path("/proc/self/status").read_text().splitlines()
    effective = next(int(line.split()[1], 16) for line in lines if line.startswith("CapEff:"))
    capable = all(effective >> capability & 1 for capability in (_CHOWN, _KILL, _SETGID, _SETUID))
    return capable and all(_are_mapped(Path(f"/proc/self/{kind}_map")) for kind in ("uid", "gid"))


def _are_mapped(users: Path) -> bool:
    """True where one range of this user namespace's map holds all the users that we may choose."""
    ranges = [[int(number) for number in line.split()] for line in users.read_text().splitlines()]
    return any(first <= _FIRST_UID and first + count >= _FIRST_UID + _UIDS for first, _, count in ranges)


def _proved(settings: ExecutorSettings, uids: tuple[int, int] | None, packages: tuple[str, ...]) -> Sandbox:
    server = ForkServer(uids, packages=packages, folder_bytes=settings.folder_bytes)
    try:
        demand(server, server.missing, allow_weak=settings.allow_weak_isolation)
        prove(server)
    except SandboxError:
        server.close()
        raise
    return server
