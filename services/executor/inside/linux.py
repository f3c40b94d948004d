"""The few system calls that Python's library does not offer, by ctypes; each raises OSError where it fails."""

import ctypes
import os
from collections.abc import Callable
from typing import Any

MACHINE = os.uname().machine

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
CLONE_NEWCGROUP = 0x02000000
NAMESPACES = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND = 1, 2, 4, 8, 32, 4096
MS_REC, MS_PRIVATE = 16384, 1 << 18
_MNT_DETACH = 2

_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 1, 24, 36, 38
_SIGKILL = 9
_CAPABILITIES = 64
_CAPABILITY_VERSION_3 = 0x20080522

_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}.get(MACHINE, -1)
_SECCOMP = {"x86_64": 317, "aarch64": 277}.get(MACHINE, -1)
_SECCOMP_SET_MODE_FILTER = 1

_libc = ctypes.CDLL(None, use_errno=True)
_syscall: Callable[..., int] = _libc.syscall


def call(function: Callable[..., int], *arguments: Any) -> int:
    """What a function of the C library returns; its errno as OSError where that is negative."""
    if (result := function(*arguments)) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), getattr(function, "__name__", None))
    return result


def syscall(number: int, *arguments: Any) -> int:
    """A system call by its number."""
    return call(_syscall, ctypes.c_long(number), *arguments)


def unshare(namespaces: int) -> None:
    """Leave the given namespaces (`CLONE_NEW...`) for new ones."""
    call(_libc.unshare, namespaces)


def join_namespace(descriptor: int, kind: int) -> None:
    """Enter the namespace of `kind` behind `descriptor`; for a PID namespace, the next child does."""
    call(_libc.setns, descriptor, kind)


def mount(source: str | None, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    """Mount, bind or remount, as mount(2)."""
    texts = [text.encode() if text is not None else None for text in (source, target, kind, options)]
    call(_libc.mount, texts[0], texts[1], texts[2], ctypes.c_ulong(flags), texts[3])


def detach(target: str) -> None:
    """Unmount lazily."""
    call(_libc.umount2, target.encode(), _MNT_DETACH)


def pivot_root(new: str, old: str) -> None:
    """Make `new` the root; the old one is found at `old`."""
    syscall(_PIVOT_ROOT, new.encode(), old.encode())


def die_with_parent() -> None:
    """Be killed when the thread that forked this process ends."""
    call(_libc.prctl, _PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent has gone."""
    call(_libc.prctl, _PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def forbid_new_privileges() -> None:
    """No program started from here gains anything by being set-user-id."""
    call(_libc.prctl, _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def drop_bounding_set() -> None:
    """No program started from here gets a capability, whoever runs it."""
    for capability in range(_CAPABILITIES):
        if _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            return  # the kernel knows no more of them, or this process has nothing to drop


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


_NO_CAPABILITIES = (ctypes.c_uint32 * 6)()
_THIS_PROCESS = _CapabilityHeader(_CAPABILITY_VERSION_3, 0)


def drop_capabilities() -> None:
    """Give up every capability of this process."""
    call(_libc.capset, ctypes.byref(_THIS_PROCESS), _NO_CAPABILITIES)


class SeccompProgram(ctypes.Structure):
    """The kernel's `struct sock_fprog`."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def install_filter(program: SeccompProgram) -> None:
    """Put a system call filter in force for this process and all it will start."""
    syscall(_SECCOMP, _SECCOMP_SET_MODE_FILTER, 0, ctypes.byref(program))
