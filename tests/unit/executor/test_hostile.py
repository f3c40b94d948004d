"""Programs that attack the machine: each property is attacked on its own, and the sandbox is there for the next."""

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from services.contracts import ExecuteReply, Verdict
from services.executor.forkserver import ForkServer

Judge = Callable[..., ExecuteReply]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="users are told apart only where the service is root")


@pytest.fixture(autouse=True)
def the_next_program_is_served(judge: Judge) -> object:
    """Behind every attack an honest program finds the sandbox as it was."""
    yield
    reply = judge("import os\ndef f(x):\n    return os.listdir('.')", "assert f(1) == []")
    assert reply.verdict is Verdict.ACCEPTED


def alive(marker: str) -> list[int]:
    """Processes with `marker` in their command line."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if marker.encode() in entry.read_bytes():
                found.append(int(entry.parent.name))
        except OSError:
            continue
    return found


def leaving(marker: str, *, detached: bool) -> str:
    """A program whose grandchildren sleep under a name of their own."""
    lines = [
        "import os, subprocess, time",
        "def f(wait):",
        "    for _ in range(3):",
        f"        subprocess.Popen(['/bin/sh', '-c', 'sleep 300; : {marker}'], start_new_session={detached})",
        "    time.sleep(wait)",
        "    return 1",
    ]
    return "\n".join(lines)


def test_timeout_kills_grandchildren(judge: Judge) -> None:
    reply = judge(leaving("lw-grandchild", detached=False), "assert f(60) == 1", wall_s=0.5)
    assert reply.verdict is Verdict.TIME_LIMIT_EXCEEDED
    assert alive("lw-grandchild") == []


def test_a_daemon_in_a_session_of_its_own_does_not_outlive_its_program(judge: Judge) -> None:
    reply = judge(leaving("lw-daemon", detached=True), "assert f(0.2) == 1")
    assert reply.verdict is Verdict.ACCEPTED
    assert alive("lw-daemon") == []


def test_an_orphan_of_an_orphan_does_not_outlive_its_program(judge: Judge) -> None:
    code = """
import os, time
def f():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execv("/bin/sh", ["sh", "-c", "sleep 300; : lw-orphan"])
        os._exit(0)
    time.sleep(0.2)
    return 1
"""
    assert judge(code, "assert f() == 1").verdict is Verdict.ACCEPTED
    assert alive("lw-orphan") == []


@as_root
def test_a_fork_bomb_stays_within_the_process_limit(judge: Judge) -> None:
    code = """
import os, time
def count():
    forked = 0
    try:
        while os.fork():
            forked += 1
        time.sleep(60)
    except OSError:
        return forked
def bomb():
    while True:
        try:
            os.fork()
        except OSError:
            pass
"""
    assert judge(code, "assert count() == 7", processes=8).verdict is Verdict.ACCEPTED
    assert judge(code, "assert bomb() == 1", wall_s=1).verdict is Verdict.TIME_LIMIT_EXCEEDED


@as_root
def test_a_thread_bomb_stays_within_the_process_limit(judge: Judge) -> None:
    code = """
import threading, time
def f():
    while True:
        threading.Thread(target=time.sleep, args=(60,)).start()
"""
    assert judge(code, "assert f() == 1", processes=8).verdict is Verdict.RUNTIME_ERROR


def test_a_memory_bomb_ends_at_the_limit(judge: Judge) -> None:
    code = "def f():\n    hoard = []\n    while True:\n        hoard.append(bytearray(2**20))\n"
    assert judge(code, "assert f() == 1").verdict is Verdict.MEMORY_LIMIT_EXCEEDED


@pytest.mark.parametrize("descriptor", [1, 2])
def test_an_output_flood_ends_at_once_and_is_no_time_out(judge: Judge, descriptor: int) -> None:
    code = f"import os\ndef f():\n    while True:\n        os.write({descriptor}, b'y' * 9999)\n"
    started = time.monotonic()
    reply = judge(code, "assert f() == 1", wall_s=20, cpu_s=20)
    assert reply.verdict is Verdict.OUTPUT_LIMIT_EXCEEDED
    assert reply.tests[0].truncated
    assert time.monotonic() - started < 10


def test_a_flood_of_reports_ends(judge: Judge) -> None:
    code = "import os\ndef f():\n    while True:\n        os.write(3, b'y' * 65536)\n"
    assert judge(code, "assert f() == 1", wall_s=20, cpu_s=20).verdict is Verdict.OUTPUT_LIMIT_EXCEEDED


def test_an_endless_loop_that_ignores_all_signals_and_exceptions_ends(judge: Judge) -> None:
    code = """
import contextlib, signal
for number in range(1, 65):
    with contextlib.suppress(OSError, ValueError):
        signal.signal(number, signal.SIG_IGN)
def f():
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass
"""
    assert judge(code, "assert f() == 1", wall_s=0.5).verdict is Verdict.TIME_LIMIT_EXCEEDED


def test_deep_recursion_is_a_runtime_error(judge: Judge) -> None:
    reply = judge("def f(x):\n    return f(x + 1)", "assert f(0) == 1", "assert 1 == 1")
    assert reply.tests[0].error is not None
    assert reply.tests[0].error.type == "RecursionError"
    code = "import sys\nsys.setrecursionlimit(10**9)\ndef f(x):\n    return sorted([x], key=f)"
    assert judge(code, "assert f(0) == 1").verdict in (Verdict.RUNTIME_ERROR, Verdict.MEMORY_LIMIT_EXCEEDED)


def test_a_segmentation_fault_is_a_runtime_error(judge: Judge) -> None:
    reply = judge("import ctypes\ndef f():\n    return ctypes.string_at(0)", "assert f() == 1")
    assert reply.tests[0].error is not None
    assert reply.tests[0].error.type == "SIGSEGV"


def test_closing_every_descriptor_forges_nothing(judge: Judge) -> None:
    code = "import os\ndef f(x):\n    os.closerange(0, 64)\n    return x"
    reply = judge(code, "assert f(1) == 1")
    assert reply.verdict is Verdict.RUNTIME_ERROR


def test_closed_output_streams_do_no_harm(judge: Judge) -> None:
    code = "import os, sys\ndef f(x):\n    sys.stdout.close()\n    os.close(2)\n    return x"
    reply = judge(code, "assert f(1) == 1", "assert len([2]) == 2")
    assert [test.verdict for test in reply.tests] == [Verdict.ACCEPTED, Verdict.WRONG_ANSWER]


def test_a_big_file_ends_at_the_limit(judge: Judge) -> None:
    code = """
import os
def grow():
    with open("big", "wb") as file:
        while True:
            file.write(bytes(2**20))
def stretch():
    with open("sparse", "wb") as file:
        os.truncate(file.fileno(), 2**40)
"""
    reply = judge(code, "assert grow() == 1", "assert stretch() == 1")
    assert [test.verdict for test in reply.tests] == [Verdict.RUNTIME_ERROR] * 2


def test_what_one_program_writes_to_its_folder_the_next_does_not_see(judge: Judge) -> None:
    code = """
import os
def f():
    for _ in range(1000):
        os.mkdir("d")
        os.chdir("d")
    open(b"\\xff", "w").close()
    os.symlink("/", "root")
    os.chmod(".", 0)
    return 1
"""
    assert judge(code, "assert f() == 1").verdict is Verdict.ACCEPTED


def test_a_program_reaches_no_other_process(judge: Judge) -> None:
    code = """
import os
def reached():
    reached = []
    for pid in {1, os.getppid(), *range(2, 50)} - {os.getpid(), 0}:
        try:
            os.kill(pid, 0)
            reached.append(pid)
        except (PermissionError, ProcessLookupError):
            pass
    return reached
"""
    assert judge(code, "assert reached() == []").verdict is Verdict.ACCEPTED


@as_root
def test_a_program_is_an_unprivileged_user_and_stays_one(judge: Judge) -> None:
    code = """
import os
def f():
    try:
        os.setuid(0)
    except PermissionError:
        return os.getuid() == os.getgid() != 0, os.getgroups()
"""
    assert judge(code, "assert f() == (True, [])").verdict is Verdict.ACCEPTED


def test_there_is_no_network(judge: Judge) -> None:
    code = """
import socket
def refused(family):
    try:
        socket.socket(family)
    except PermissionError:
        return True
"""
    families = ("AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK", "AF_PACKET")
    assert judge(code, *[f"assert refused({int(getattr(socket, family))})" for family in families]).passed == 5


def test_limits_cannot_be_raised_again(judge: Judge) -> None:
    code = """
import resource
LIMITS = resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE, resource.RLIMIT_NPROC
def f():
    refused = 0
    for limit in LIMITS:
        soft, hard = resource.getrlimit(limit)
        try:
            resource.setrlimit(limit, (hard + 1, hard + 1))
        except ValueError:
            refused += soft == hard
    return refused
"""
    assert judge(code, "assert f() == 4").verdict is Verdict.ACCEPTED


def test_descriptors_of_the_service_are_closed(judge: Judge, sandbox: ForkServer) -> None:
    code = """
import os
def is_open(number):
    try:
        return bool(os.fstat(number))
    except OSError:
        return False
def opened():
    return [number for number in range(256) if is_open(number)]
"""
    standard_library = [] if "namespaces" in sandbox.isolation else [4]
    assert judge(code, f"assert opened() == {[0, 1, 2, 3, *standard_library]}").verdict is Verdict.ACCEPTED
