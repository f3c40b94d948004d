"""Plans the sandbox of each worker: under users of its own where the service may choose them."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from services.executor.making import SandboxPlan
from services.executor.settings import ExecutorSettings

_FIRST_UID, _UIDS = 20_000, 40_000
_CHOWN, _KILL, _SETGID, _SETUID = 0, 5, 6, 7


def sandbox_plans(settings: ExecutorSettings) -> Callable[[int], SandboxPlan]:
    """The plan for each worker, given its number.

    Where the service may choose users, each worker has two, which no other executor is likely to use.
    """
    first = _FIRST_UID + secrets.randbelow(_UIDS - 2 * settings.workers) if may_choose_users() else None

    def plan(number: int) -> SandboxPlan:
        uids = None if first is None else (first + 2 * number, first + 2 * number + 1)
        return SandboxPlan(uids, settings.packages, settings.folder_bytes, settings.allow_weak_isolation)

    return plan


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
