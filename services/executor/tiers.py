"""How well programs are walled in: what each layer must withstand, and which layers together will do.

Nothing is believed: `prove` attacks each layer that a sandbox says is in force, and `demand` refuses a sandbox with
fewer layers than all, unless its owner allowed that. No isolation at all does not exist.
"""

from services.contracts import AssertTest, ExecuteRequest, Verdict
from services.executor.examination import examine
from services.executor.sandbox import Bounds, Sandbox, SandboxError

FULL = ("namespaces", "seccomp", "landlock", "rlimits")
_WALLS_ALONE = ({"namespaces", "seccomp", "rlimits"}, {"seccomp", "landlock", "rlimits"})
_BOUNDS = Bounds(wall_s=10.0, cpu_s=10.0, memory_bytes=128 * 1024**2, output_bytes=4096, file_bytes=65536, processes=4)

_ATTACKS = """
import ctypes, os, resource, socket
libc = ctypes.CDLL(None, use_errno=True)
def outcome(attack, *arguments):
    try:
        attack(*arguments)
    except (OSError, ValueError, MemoryError) as error:
        return type(error).__name__
    return "done"
def refused_by_the_kernel(call, *arguments):
    return call(*arguments) == -1 and ctypes.get_errno() == 1
def namespaces():
    return os.getpid(), os.uname().nodename, [outcome(os.stat, path) for path in ("/proc/self", "/sys/kernel", "/home")]
def seccomp():
    return [refused_by_the_kernel(libc.unshare, 0x10000000), refused_by_the_kernel(libc.ptrace, 0, 0, 0, 0),
            outcome(socket.socket), outcome(os.chroot, "/"), outcome(os.setuid, 0)]
def landlock():
    return [outcome(os.listdir, "/"), outcome(os.listdir, "/dev")]
def rlimits():
    raised = [outcome(resource.setrlimit, limit, (2**40, 2**40))
              for limit in (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE, resource.RLIMIT_NPROC)]
    return raised, outcome(bytearray, 2**28), [outcome(open("f", "wb", 0).write, bytes(2**17)), os.path.getsize("f")]
"""
_WITHSTOOD = {
    "namespaces": (1, "sandbox", ["FileNotFoundError"] * 3),
    "seccomp": [True, True, *["PermissionError"] * 3],
    "landlock": ["PermissionError"] * 2,
    "rlimits": (["ValueError"] * 4, "MemoryError", ["done", 65536]),
}


def demand(sandbox: Sandbox, missing: dict[str, str], *, allow_weak: bool) -> None:
    """See that the layers in force will do; `missing` says why another layer is not.

    Raises:
        SandboxError: they will not, and it says what can be done.
    """
    layers = sandbox.isolation.split("+")
    if set(layers) >= set(FULL):
        return
    reasons = "; ".join(f"no {layer} ({reason})" for layer, reason in missing.items())
    if not any(walls <= set(layers) for walls in _WALLS_ALONE):
        raise SandboxError(f"this machine gives too little isolation to run programs: {reasons}")
    if not allow_weak:
        raise SandboxError(
            f"this machine gives only {sandbox.isolation}: {reasons}. Allow user namespaces (docs/sandbox.md), or "
            "set LINEWISE_ALLOW_WEAK_ISOLATION=1 to run programs with what there is"
        )


def prove(sandbox: Sandbox) -> None:
    """Attack every layer that the sandbox says is in force.

    Raises:
        SandboxError: one did not hold.
    """
    layers = [layer for layer in FULL if layer in sandbox.isolation.split("+")]
    tests = [AssertTest(code=f"assert {layer}() == {_WITHSTOOD[layer]!r}") for layer in layers]
    reply = examine(ExecuteRequest(code=_ATTACKS, tests=tests), _BOUNDS, sandbox)
    fallen = [layer for layer, test in zip(layers, reply.tests, strict=True) if test.verdict is not Verdict.ACCEPTED]
    if fallen:
        errors = [test.error.message for test in reply.tests if test.error]
        raise SandboxError(f"the self-test broke through: {', '.join(fallen)} {errors}")
