"""Makes the sandbox of a worker by its plan, proved before it serves."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from services.executor.flavours import Flavours
from services.executor.forkserver import ForkServer
from services.executor.sandbox import Sandbox, SandboxError
from services.executor.tiers import demand, prove


@dataclass(frozen=True, slots=True)
class SandboxPlan:
    """What a worker's sandbox is to be; `uids` are the users of its zygotes and its programs, where we choose them."""

    uids: tuple[int, int] | None
    packages: tuple[str, ...]
    folder_bytes: int
    allow_weak: bool


def make_sandbox(plan: SandboxPlan) -> Sandbox:
    """A sandbox by that plan, proved.

    Raises:
        SandboxError: it does not start, has fewer layers than the plan allows, or fails the self-test.
    """
    return Flavours(_proved(plan, packages=()), partial(_proved, plan, packages=plan.packages), plan.packages)


def _proved(plan: SandboxPlan, packages: Sequence[str]) -> Sandbox:
    server = ForkServer(plan.uids, packages=packages, folder_bytes=plan.folder_bytes)
    try:
        demand(server, server.missing, allow_weak=plan.allow_weak)
        prove(server)
    except SandboxError:
        server.close()
        raise
    return server
