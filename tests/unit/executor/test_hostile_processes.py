"""Programs that start, stop and kill processes, or break their own: none of it reaches beyond or outlives them."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from services.contracts import ExecuteReply, Verdict
from services.executor.forkserver import ForkServer

Judge = Callable[..., ExecuteReply]
Answer = Callable[..., Any]
pytestmark = pytest.mark.usefixtures("the_next_program_is_served")


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A process of the service's own user, that must be alive in the end."""
    with subprocess.Popen(["/bin/sleep", "60"]) as process:
        yield process
        assert process.poll() is None, "somebody killed it"
        process.kill()


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


def test_a_daemon_that_ignores_every_signal_does_not_outlive_its_program(judge: Judge) -> None:
    code = """
import os, signal
def f():
    ready, tell = os.pipe()
    if os.fork() == 0:
        os.setsid()
        for number in set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
        os.write(tell, b"!")
        os.execv("/bin/sh", ["sh", "-c", "sleep 300; : lw-deaf"])
    return os.read(ready, 1)
"""
    assert judge(code, "assert f() == b'!'").verdict is Verdict.ACCEPTED
    assert alive("lw-deaf") == []


def test_a_fork_bomb_stays_within_the_process_limit(answer: Answer, judge: Judge) -> None:
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
    assert 1 <= answer(code, "count()", processes=8) <= 8
    assert judge(code, "assert bomb() == 1", wall_s=1).verdict is Verdict.TIME_LIMIT_EXCEEDED


def test_a_thread_bomb_stays_within_the_process_limit(judge: Judge) -> None:
    code = """
import threading, time
def f():
    while True:
        threading.Thread(target=time.sleep, args=(60,)).start()
"""
    reply = judge(code, "assert f() == 1", processes=8)
    assert reply.tests[0].error is not None
    assert "thread" in reply.tests[0].error.message


def test_zombies_use_up_the_limit_and_no_more(answer: Answer) -> None:
    code = """
import os
def f():
    dead = 0
    try:
        while True:
            if os.fork() == 0:
                os._exit(0)
            dead += 1
    except OSError:
        return dead
"""
    assert 1 <= answer(code, "f()", processes=12) <= 12


def test_a_program_may_start_process_after_process(answer: Answer) -> None:
    """Numbers of processes do not run out where each is waited for."""
    code = """
import os
def f():
    for _ in range(300):
        if os.fork() == 0:
            os._exit(7)
        if os.waitstatus_to_exitcode(os.wait()[1]) != 7:
            return False
    return True
"""
    assert answer(code, "f()") is True


def test_a_program_reaches_no_other_process(answer: Answer, bystander: subprocess.Popen[bytes]) -> None:
    code = f"""
import os, signal
OTHERS = {{1, os.getppid(), {os.getpid()}, {bystander.pid}, *range(2, 50)}} - {{os.getpid(), 0}}
def reached():
    reached = []
    for pid in OTHERS:
        for send in (os.kill, os.killpg) if pid > 1 else (os.kill,):  # the group 1 is everybody, to `kill`
            try:
                send(pid, signal.SIGKILL)
                reached.append(pid)
            except (PermissionError, ProcessLookupError):
                pass
    return reached
"""
    assert answer(code, "reached()") == []


def test_killing_everybody_kills_nobody_else(answer: Answer, bystander: subprocess.Popen[bytes]) -> None:
    code = """
import os, signal
def f():
    try:
        os.kill(-1, signal.SIGKILL)
    except OSError:
        pass
    return "still here"
"""
    assert answer(code, "f()") == "still here"


def test_a_process_handle_sends_no_signal(answer: Answer, bystander: subprocess.Popen[bytes]) -> None:
    code = f"""
import os, signal
def f():
    try:
        signal.pidfd_send_signal(os.pidfd_open({bystander.pid}), signal.SIGKILL)
    except OSError:
        return "refused"
"""
    assert answer(code, "f()") == "refused"


def test_killing_ones_own_group_is_ones_own_end(judge: Judge) -> None:
    """The zygote is in another group; as first process of its namespace a program does not even die."""
    reply = judge(
        "import os\ndef f():\n    os.killpg(0, 9)\n    os.kill(os.getpid(), 9)\n    return 1", "assert f() == 2"
    )
    assert reply.verdict in (Verdict.RUNTIME_ERROR, Verdict.WRONG_ANSWER)


@pytest.mark.parametrize("call", ["ptrace", "process_vm_readv", "process_vm_writev"])
def test_the_memory_of_another_process_is_out_of_reach(
    answer: Answer, bystander: subprocess.Popen[bytes], call: str
) -> None:
    """Not that of a bystander, nor of the parent, nor even of a child of one's own."""
    code = f"""
import ctypes, os, time
libc = ctypes.CDLL(None, use_errno=True)
PTRACE_ATTACH = 16
def f():
    child = os.fork()
    if child == 0:
        time.sleep(60)
    errors = []
    buffer = ctypes.create_string_buffer(8)
    vector = (ctypes.c_size_t * 2)(ctypes.addressof(buffer), 8)
    for pid in ({bystander.pid}, os.getppid(), child):
        if {call!r} == "ptrace":
            result = libc.ptrace(PTRACE_ATTACH, pid, 0, 0)
        else:
            result = libc.{call}(pid, vector, 1, vector, 1, 0)
        errors.append((result, ctypes.get_errno()))
    return errors
"""
    assert answer(code, "f()") == [(-1, 1)] * 3


def test_a_process_that_stops_itself_ends_at_the_wall_limit(judge: Judge) -> None:
    code = """
import os, signal
def f():
    child = os.fork()
    if child == 0:
        os.kill(os.getpid(), signal.SIGSTOP)
    return os.waitpid(child, 0)
def g():
    os.kill(os.getpid(), signal.SIGSTOP)
    signal.pause()
"""
    reply = judge(code, "assert f() == 1", "assert g() == 1", wall_s=0.4)
    assert [test.verdict for test in reply.tests] == [Verdict.TIME_LIMIT_EXCEEDED] * 2
    assert all(0.4 <= test.wall_s < 2 for test in reply.tests)


def test_a_grandchild_that_holds_the_pipes_holds_up_no_reply(judge: Judge) -> None:
    """The program has left; a child in a session of its own still has its stdout, stderr and reports."""
    code = """
import os, time
print("said")
if os.fork() == 0:
    os.setsid()
    time.sleep(60)
"""
    started = time.monotonic()
    reply = judge(code, {"kind": "stdio", "stdin": "", "expected_stdout": "said\n"})
    assert reply.verdict is Verdict.ACCEPTED
    assert time.monotonic() - started < 3


def test_a_thread_that_outlives_the_program_ends_with_it(judge: Judge) -> None:
    """A daemon thread at once; another as in Python, which waits for it: until the limit."""
    code = "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon={}).start()\n"
    stdio = {"kind": "stdio", "stdin": "", "expected_stdout": ""}
    assert judge(code.format(True), stdio).verdict is Verdict.ACCEPTED
    assert judge(code.format(False), stdio, wall_s=0.5).verdict is Verdict.TIME_LIMIT_EXCEEDED


def test_deep_recursion_is_a_runtime_error(judge: Judge) -> None:
    reply = judge("def f(x):\n    return f(x + 1)", "assert f(0) == 1", "assert 1 == 1")
    assert reply.tests[0].error is not None
    assert reply.tests[0].error.type == "RecursionError"


def test_an_overflow_of_the_c_stack_ends_the_program_alone(judge: Judge) -> None:
    code = "import sys\nsys.setrecursionlimit(10**9)\ndef f(x):\n    return sorted([x], key=f)\ndef g(x):\n    return x"
    reply = judge(code, "assert f(0) == 1", "assert g(2) == 2")
    assert reply.tests[0].verdict in (Verdict.RUNTIME_ERROR, Verdict.MEMORY_LIMIT_EXCEEDED)
    assert reply.tests[1].verdict is Verdict.ACCEPTED


def test_a_segmentation_fault_is_a_runtime_error(judge: Judge) -> None:
    reply = judge("import ctypes\ndef f():\n    return ctypes.string_at(0)", "assert f() == 1")
    assert reply.tests[0].error is not None
    assert reply.tests[0].error.type == "SIGSEGV"


def test_closing_every_descriptor_forges_nothing(judge: Judge) -> None:
    code = "import os\ndef f(x):\n    os.closerange(0, 64)\n    return x"
    assert judge(code, "assert f(1) == 1").verdict is Verdict.RUNTIME_ERROR


def test_closed_output_streams_do_no_harm(judge: Judge) -> None:
    code = "import os, sys\ndef f(x):\n    sys.stdout.close()\n    os.close(2)\n    return x"
    reply = judge(code, "assert f(1) == 1", "assert len([2]) == 2")
    assert [test.verdict for test in reply.tests] == [Verdict.ACCEPTED, Verdict.WRONG_ANSWER]


def test_clearing_the_environment_and_exec_forge_nothing(judge: Judge) -> None:
    code = """
import os
def f(x):
    os.environ.clear()
    os.execve("/bin/sh", ["sh", "-c", "ulimit -t unlimited; echo forged; exit 0"], {})
"""
    reply = judge(code, "assert f(1) == 1")
    assert reply.verdict is Verdict.RUNTIME_ERROR
    assert reply.tests[0].error is not None
    assert reply.tests[0].error.type == "SystemExit"


def test_another_program_put_in_its_place_is_bound_as_it_was(judge: Judge) -> None:
    """Limits, filter and clock survive `exec`."""
    code = "import os\ndef f():\n    os.execv('/bin/sh', ['sh', '-c', 'while :; do :; done'])"
    assert judge(code, "assert f() == 1", wall_s=0.5).verdict is Verdict.TIME_LIMIT_EXCEEDED
    code = "import os\ndef f():\n    os.execv('/bin/sh', ['sh', '-c', 'ulimit -t; ulimit -Hn; echo x > /etc/x'])"
    assert judge(code, "assert f() == 1").tests[0].stdout == "11\n64\n"


@pytest.mark.parametrize("source", ["x = 1\x00", "x = '\ud800'", "\x00" * 1000, "#" + "\udfff" * 1000])
def test_source_that_is_no_text_does_not_compile(judge: Judge, source: str) -> None:
    assert judge(source, "assert 1 == 1").verdict is Verdict.COMPILE_ERROR


def test_descriptors_of_the_service_are_closed(answer: Answer, sandbox: ForkServer) -> None:
    code = """
import os
def is_open(number):
    try:
        return bool(os.fstat(number))
    except OSError:
        return False
"""
    standard_library = [] if "namespaces" in sandbox.isolation else [4]
    opened = answer(code, "[number for number in range(1024) if is_open(number)]")
    assert opened == [0, 1, 2, 3, *standard_library]
