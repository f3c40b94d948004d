"""Which layers will do, and that a layer is believed only once it has withstood an attack."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import pytest

from services.executor.forkserver import ForkServer
from services.executor.sandbox import Ending, Report, Sandbox, SandboxError, Session
from services.executor.tiers import FULL, demand, prove

ALL, WEAK = "+".join(FULL), "seccomp+landlock+rlimits"
MISSING = {"namespaces": "the kernel said no"}
MAKE_ONE = """
from services.executor.making import make_sandbox
from services.executor.planning import sandbox_plans
from services.executor.sandbox import SandboxError
from services.executor.settings import ExecutorSettings
try:
    sandbox = make_sandbox(sandbox_plans(ExecutorSettings(LINEWISE_ALLOW_WEAK_ISOLATION={weak}))(0))
    print(sandbox.isolation)
    sandbox.close()
except SandboxError as error:
    print("refused:", error)
"""


class Claiming:
    """A real sandbox that says of itself what it likes; `loosened` stands in for limits that were never set."""

    def __init__(self, sandbox: Sandbox, isolation: str, *, loosened: bool = False) -> None:
        self._sandbox = sandbox
        self.isolation = isolation
        self._loosened = loosened

    def run(self, session: Session, keep_on: Callable[[Report], bool]) -> Ending:
        if self._loosened:
            bounds = replace(session.bounds, memory_bytes=2**33, file_bytes=2**33)
            session = replace(session, bounds=bounds)
        return self._sandbox.run(session, keep_on)

    def close(self) -> None:
        self._sandbox.close()


def test_each_tier_has_its_layers(sandbox: ForkServer, request: pytest.FixtureRequest) -> None:
    tier = request.node.callspec.params["sandbox"]
    assert sandbox.isolation == {"namespaces": ALL, "weak": WEAK}[tier]


def test_a_sandbox_withstands_the_attacks_on_what_it_claims(sandbox: ForkServer) -> None:
    prove(sandbox)
    prove(sandbox)


@pytest.mark.parametrize("sandbox", ["weak"], indirect=True)
def test_namespaces_that_are_only_claimed_are_found_out(sandbox: ForkServer) -> None:
    with pytest.raises(SandboxError, match="broke through: namespaces"):
        prove(Claiming(sandbox, ALL))


def test_limits_that_are_only_claimed_are_found_out(sandbox: ForkServer) -> None:
    with pytest.raises(SandboxError, match="broke through: rlimits"):
        prove(Claiming(sandbox, sandbox.isolation, loosened=True))


class Deaf:
    """A sandbox in which nothing is ever answered: it withstood nothing."""

    isolation = ALL

    def run(self, session: Session, keep_on: Callable[[Report], bool]) -> Ending:
        raise SandboxError("gone")

    def close(self) -> None:
        pass


def test_a_sandbox_that_fails_has_proved_nothing() -> None:
    with pytest.raises(SandboxError, match="gone"):
        prove(Deaf())


def having(*layers: str) -> Sandbox:
    return Claiming(Deaf(), "+".join(layers))


def test_all_layers_are_enough_for_anybody() -> None:
    for allow_weak in (False, True):
        demand(having(*FULL), {}, allow_weak=allow_weak)


@pytest.mark.parametrize("layers", [("seccomp", "landlock", "rlimits"), ("namespaces", "seccomp", "rlimits")])
def test_fewer_layers_serve_only_where_that_is_allowed(layers: tuple[str, ...]) -> None:
    missing = {layer: "the kernel said no" for layer in FULL if layer not in layers}
    with pytest.raises(SandboxError, match="LINEWISE_ALLOW_WEAK_ISOLATION=1") as refusal:
        demand(having(*layers), missing, allow_weak=False)
    assert "the kernel said no" in str(refusal.value)
    assert "+".join(layers) in str(refusal.value)
    demand(having(*layers), missing, allow_weak=True)


TOO_FEW = [
    *[(), ("rlimits",), ("seccomp", "rlimits"), ("landlock", "rlimits"), ("namespaces", "rlimits"), ("namespaces",)],
    *[("seccomp", "landlock"), ("namespaces", "landlock", "rlimits"), ("namespaces", "seccomp", "landlock")],
]


@pytest.mark.parametrize("layers", TOO_FEW)
def test_too_few_layers_never_serve(layers: tuple[str, ...]) -> None:
    with pytest.raises(SandboxError, match="too little isolation"):
        demand(having(*layers), MISSING, allow_weak=True)


def made_without(forbid: Callable[..., Callable[[], None]], *calls: str, weak: bool) -> str:
    """What becomes of a sandbox where the kernel denies these system calls."""
    command = [sys.executable, "-P", "-c", MAKE_ONE.format(weak=weak)]
    return subprocess.run(command, preexec_fn=forbid(*calls), capture_output=True, text=True, timeout=60).stdout


@pytest.mark.parametrize("call", ["unshare", "mount", "pivot_root", "mount_setattr"])
def test_where_a_jail_cannot_be_made_the_weak_tier_serves_if_it_may(
    forbid: Callable[..., Callable[[], None]], call: str
) -> None:
    refusal = made_without(forbid, call, weak=False)
    assert refusal.startswith(f"refused: this machine gives only {WEAK}: no namespaces")
    assert "LINEWISE_ALLOW_WEAK_ISOLATION=1" in refusal
    assert made_without(forbid, call, weak=True) == f"{WEAK}\n"


def test_without_namespaces_and_landlock_nothing_serves(forbid: Callable[..., Callable[[], None]]) -> None:
    refusal = made_without(forbid, "unshare", "landlock_create_ruleset", weak=True)
    assert refusal.startswith("refused: this machine gives too little isolation to run programs: no namespaces")
    assert "no landlock" in refusal


@pytest.mark.parametrize("calls", [("seccomp",), ("landlock_restrict_self",), ("unshare", "seccomp"), ("setns",)])
def test_a_layer_that_cannot_be_put_in_force_is_a_refusal(
    forbid: Callable[..., Callable[[], None]], calls: tuple[str, ...]
) -> None:
    """Also where fewer layers are allowed: what was promised and then fails is no weaker tier."""
    assert made_without(forbid, *calls, weak=True).startswith("refused: ")
