"""Programs that turn to the kernel: what no honest program needs is refused, whatever way it is asked for."""

import errno
import os
import platform
from collections.abc import Callable
from typing import Any

import pytest

from services.contracts import ExecuteReply, Verdict

Judge = Callable[..., ExecuteReply]
Answer = Callable[..., Any]
pytestmark = pytest.mark.usefixtures("the_next_program_is_served")
on_x86_64 = pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers and the machine code are x86_64's")

CALLS = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    ctypes.set_errno(0)
    padded = [*arguments, *[0] * (6 - len(arguments))]
    return libc.syscall(ctypes.c_long(number), *[ctypes.c_long(each) for each in padded]), ctypes.get_errno()
"""
REFUSED = {
    "tracing": {"ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312, "pidfd_getfd": 438},
    "handles of processes": {"pidfd_send_signal": 424, "process_madvise": 440, "process_mrelease": 448},
    "namespaces": {"unshare": 272},
    "mounts": {"mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161, "open_tree": 428, "move_mount": 429}
    | {"fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "mount_setattr": 442, "swapon": 167},
    "users": {"setuid": 105, "setgid": 106, "setreuid": 113, "setregid": 114, "setgroups": 116}
    | {"setfsuid": 122, "setfsgid": 123},
    "keys": {"add_key": 248, "request_key": 249, "keyctl": 250},
    "programs for the kernel": {"bpf": 321, "init_module": 175, "finit_module": 313, "delete_module": 176}
    | {"kexec_load": 246, "kexec_file_load": 320, "seccomp": 317},
    "input and output beside the filter": {"io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427}
    | {"io_setup": 206, "io_submit": 209, "vmsplice": 278},
    "what kernels were broken by": {"perf_event_open": 298, "userfaultfd": 323, "modify_ldt": 154, "personality": 135}
    | {"remap_file_pages": 216, "move_pages": 279, "migrate_pages": 256, "mbind": 237, "set_mempolicy": 238},
    "files by handle": {"name_to_handle_at": 303, "open_by_handle_at": 304, "fanotify_init": 300, "quotactl": 179},
    "messages": {"mq_open": 240, "shmget": 29, "semget": 64, "msgget": 68, "memfd_create": 319, "memfd_secret": 447},
    "sockets": {"socket": 41, "connect": 42, "accept": 43, "bind": 49, "listen": 50, "accept4": 288},
    "the machine": {"reboot": 169, "sethostname": 170, "setdomainname": 171, "iopl": 172, "ioperm": 173, "syslog": 103}
    | {"settimeofday": 164, "clock_settime": 227, "adjtimex": 159, "acct": 163, "vhangup": 153},
    "x32": {"read": 0x40000000, "getpid": 0x40000000 + 39, "ptrace": 0x40000000 + 521, "execve": 0x40000000 + 520},
    "numbers of no call": {"none": 1023, "far": 0x7FFFFFFF, "negative": -1, "reserved for vendors": 500},
}


@on_x86_64
@pytest.mark.parametrize("kind", REFUSED)
def test_a_system_call_that_no_honest_program_needs_is_refused(answer: Answer, kind: str) -> None:
    numbers = list(REFUSED[kind].values())
    found = answer(CALLS, f"[call(number) for number in {numbers}]")
    assert dict(zip(REFUSED[kind], found, strict=True)) == dict.fromkeys(REFUSED[kind], (-1, errno.EPERM))


@on_x86_64
def test_what_the_zygote_may_ask_for_is_refused_to_programs(answer: Answer) -> None:
    """A new PID namespace, joining one, all capabilities: asked for as the zygote asks, from a process without any."""
    code = (
        CALLS
        + """
import os
header, all_of_them = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)(*[0xFFFFFFFF] * 6)
def f():
    results = [call(272, 0x20000000), call(126, ctypes.addressof(header), ctypes.addressof(all_of_them))]
    try:
        results.append(call(308, os.pidfd_open(os.getpid()), 0x20000000))
    except PermissionError:
        results.append((-1, 1))
    return results
"""
    )
    assert answer(code, "f()") == [(-1, errno.EPERM)] * 3


@on_x86_64
def test_a_clone_into_a_new_namespace_is_refused(answer: Answer) -> None:
    flags = [0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000]
    assert answer(CALLS, f"[call(56, flag | 17) for flag in {flags}]") == [(-1, errno.EPERM)] * len(flags)


@on_x86_64
def test_clone3_whose_flags_nobody_sees_does_not_exist(answer: Answer) -> None:
    """With namespaces asked for in its structure; the C library falls back to `clone`."""
    code = CALLS + "arguments = (ctypes.c_uint64 * 11)(0x10000000)\n"
    assert answer(code, "call(435, ctypes.addressof(arguments), 88)") == (-1, errno.ENOSYS)


@on_x86_64
def test_the_other_set_of_system_calls_is_deadly(judge: Judge) -> None:
    """`int 0x80`, from machine code of one's own, asks for i386's number 20: a call that x86_64 allows."""
    code = """
import ctypes, mmap
def f():
    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(bytes([0xB8, 20, 0, 0, 0, 0xCD, 0x80, 0xC3]))  # mov eax, 20; int 0x80; ret
    return ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
"""
    [test] = judge(code, "assert f() == 1").tests
    assert test.verdict is Verdict.RUNTIME_ERROR
    assert test.error is not None
    assert test.error.type in ("SIGSYS", "SIGSEGV")  # killed by the filter; or the kernel has no such calls at all


@pytest.mark.parametrize("request_name", ["TIOCSTI", "TIOCSCTTY", "TIOCCONS", "TIOCSETD", "TIOCNOTTY"])
def test_nobodys_terminal_is_typed_on(answer: Answer, request_name: str) -> None:
    """Also with bits above the 32 that the kernel looks at."""
    code = """
import ctypes, termios
libc = ctypes.CDLL(None, use_errno=True)
def f(name):
    outcomes = []
    for request in (getattr(termios, name), getattr(termios, name) | 1 << 32):
        result = libc.ioctl(0, ctypes.c_ulong(request), b"x")
        outcomes.append((result, ctypes.get_errno()))
    return outcomes
"""
    assert answer(code, f"f({request_name!r})") == [(-1, errno.EPERM)] * 2


def test_a_program_is_an_unprivileged_user_and_stays_one(answer: Answer) -> None:
    code = """
import os
def f():
    refused = 0
    for become in (lambda: os.setuid(0), lambda: os.setgid(0), lambda: os.setgroups([0]), lambda: os.seteuid(0)):
        try:
            become()
        except OSError:  # where root is not mapped there is no such user
            refused += 1
    return refused, 0 in (*os.getresuid(), *os.getresgid(), *os.getgroups())
"""
    assert answer(code, "f()") == (4, False)


def test_nothing_set_user_id_gives_anything(answer: Answer) -> None:
    code = """
import os, subprocess
def f():
    for program in ("/bin/su", "/usr/bin/sudo", "/usr/bin/passwd", "/bin/mount", "/usr/bin/newgrp"):
        if os.path.exists(program):
            try:
                done = subprocess.run([program, "-c", "id"], stdin=subprocess.DEVNULL, capture_output=True)
            except OSError:
                continue
            if b"uid=0" in done.stdout or done.returncode == 0:
                return program
"""
    assert answer(code, "f()") is None


def test_limits_cannot_be_raised_again(answer: Answer) -> None:
    code = """
import resource
LIMITS = resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE, resource.RLIMIT_NPROC, resource.RLIMIT_NOFILE
def f():
    refused = 0
    for limit in LIMITS:
        soft, hard = resource.getrlimit(limit)
        for most in (hard + 1, resource.RLIM_INFINITY):
            try:
                resource.setrlimit(limit, (most, most))
            except ValueError:
                refused += soft == hard
    return refused, resource.getrlimit(resource.RLIMIT_CORE)
"""
    assert answer(code, "f()") == (10, (0, 0))


def test_limits_of_others_cannot_be_set(answer: Answer) -> None:
    code = """
import os, resource
def f():
    outcomes = []
    for pid in (os.getppid(), 1, SERVICE):
        try:
            outcomes.append(resource.prlimit(pid or 1, resource.RLIMIT_CPU, (0, 0)))
        except PermissionError:
            outcomes.append("refused")
    return outcomes
"""
    assert answer(f"SERVICE = {os.getpid()}\n{code}", "f()") == ["refused"] * 3


def test_no_descriptor_signals_anybody(answer: Answer) -> None:
    """A pipe that becomes readable would send a signal of one's choice to its owner, whoever that is made to be."""
    code = f"""
import fcntl, os
def f():
    outcomes = []
    reader, writer = os.pipe()
    for attempt in ((fcntl.F_SETOWN, {os.getpid()}), (fcntl.F_SETSIG, 9), (fcntl.F_NOTIFY, 1)):
        try:
            fcntl.fcntl(reader, *attempt)
            outcomes.append("done")
        except PermissionError:
            outcomes.append("refused")
    return outcomes, fcntl.fcntl(reader, fcntl.F_GETFL)
"""
    assert answer(code, "f()") == (["refused"] * 3, 0)


def test_the_filter_and_the_rules_bind_what_is_executed(answer: Answer) -> None:
    code = """
import subprocess
SCRIPT = "cat /etc/passwd; echo x > /var/tmp/lw-mark; mount -t tmpfs x /tmp; unshare -U id; kill -9 1; id -u"
def f():
    return subprocess.run(["/bin/sh", "-c", SCRIPT], capture_output=True, text=True).stdout
"""
    assert answer(code, "f()").strip().isdigit()


def test_every_thread_is_bound(answer: Answer) -> None:
    code = """
import os, socket, threading
outcomes = []
def attack():
    for attempt in (socket.socket, lambda: os.listdir("/etc"), lambda: os.setuid(0), lambda: open("/var/x", "w")):
        try:
            attempt()
            outcomes.append("done")
        except OSError:
            outcomes.append("refused")
def f():
    thread = threading.Thread(target=attack)
    thread.start()
    thread.join()
    return outcomes
"""
    assert answer(code, "f()") == ["refused"] * 4
