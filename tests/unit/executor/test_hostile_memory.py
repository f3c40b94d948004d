"""Programs that want more memory than they may have, by any way there is."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.contracts import ExecuteReply, Verdict
from services.executor.forkserver import ForkServer

Judge = Callable[..., ExecuteReply]
Answer = Callable[..., Any]
pytestmark = pytest.mark.usefixtures("the_next_program_is_served")
MEBIBYTE = 1024**2


@pytest.mark.parametrize(
    "more",
    [
        "bytearray(2**20)",
        "[0] * 2**17",
        "'x' * 2**20",
        "mmap.mmap(-1, 2**20, flags=mmap.MAP_PRIVATE)",
        "ctypes.create_string_buffer(2**20)",
    ],
)
def test_a_memory_bomb_ends_at_the_limit(judge: Judge, more: str) -> None:
    code = f"import ctypes, mmap\ndef f():\n    hoard = []\n    while True:\n        hoard.append({more})\n"
    reply = judge(code, "assert f() == 1", memory_bytes=128 * MEBIBYTE)
    [test] = reply.tests
    if "mmap" in more:  # where the kernel refuses it is an OSError to Python, and the program's own
        assert test.error is not None
        assert (test.verdict, test.error.type) == (Verdict.RUNTIME_ERROR, "OSError")
    else:
        assert test.verdict is Verdict.MEMORY_LIMIT_EXCEEDED


def test_one_big_bite_is_refused_at_once(judge: Judge) -> None:
    reply = judge("def f():\n    return len(bytearray(2**40))\n", "assert f() == 1")
    assert reply.verdict is Verdict.MEMORY_LIMIT_EXCEEDED
    assert reply.tests[0].wall_s < 1


def test_each_of_many_processes_is_bound(answer: Answer) -> None:
    code = """
import os
def greedy():
    hoard = []
    try:
        while True:
            hoard.append(bytearray(2**20))
    except MemoryError:
        return len(hoard)
def f():
    reader, writer = os.pipe()
    for _ in range(4):
        if os.fork() == 0:
            os.write(writer, f"{greedy()} ".encode())
            os._exit(0)
    for _ in range(4):
        os.wait()
    return [int(number) for number in os.read(reader, 999).split()]
"""
    taken = answer(code, "f()", memory_bytes=64 * MEBIBYTE)
    assert len(taken) == 4
    assert max(taken) <= 64


@pytest.mark.parametrize(("name", "number"), [("memfd_create", 319), ("memfd_secret", 447)])
def test_there_are_no_memory_files(answer: Answer, name: str, number: int) -> None:
    """They would hold memory that no limit of a process counts once they are not mapped."""
    code = f"""
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def f():
    return libc.syscall({number}, b"hoard", 0), ctypes.get_errno()
"""
    assert answer(code, "f()") == (-1, 1)


def test_shared_memory_of_system_v_is_refused(answer: Answer) -> None:
    code = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def f():
    return libc.shmget(0, 2**30, 0o1600), ctypes.get_errno(), libc.semget(0, 1, 0o1600), libc.msgget(0, 0o1600)
"""
    assert answer(code, "f()") == (-1, 1, -1, -1)


def test_shared_mappings_count_like_any_other(answer: Answer) -> None:
    code = """
import mmap
def f():
    hoard = []
    try:
        while True:
            hoard.append(mmap.mmap(-1, 2**20))
    except OSError:
        return len(hoard)
"""
    assert answer(code, "f()", memory_bytes=64 * MEBIBYTE) <= 64


def test_pipes_hold_no_more_than_the_descriptors_allow(answer: Answer) -> None:
    code = """
import os
def f():
    ends = []
    try:
        while True:
            ends += os.pipe()
    except OSError:
        return len(ends)
"""
    assert answer(code, "f()") < 64


def test_the_limit_is_not_moved_by_the_stack(judge: Judge) -> None:
    code = """
import resource, threading
resource.setrlimit(resource.RLIMIT_STACK, (2**40, 2**40))
threading.stack_size(2**33)
def f():
    threading.Thread(target=print).start()
    return 1
"""
    assert judge(code, "assert f() == 1").verdict is not Verdict.ACCEPTED


def test_a_program_that_swallows_memory_errors_gains_nothing(judge: Judge) -> None:
    """What it says then is judged; it still had no more."""
    code = """
def f():
    hoard = []
    while True:
        try:
            hoard.append(bytearray(2**22))
        except MemoryError:
            return len(hoard) <= 64
"""
    reply = judge(code, "assert f() == True", memory_bytes=256 * MEBIBYTE)
    assert reply.verdict is Verdict.ACCEPTED
    assert (reply.tests[0].memory_bytes or 0) < 300 * MEBIBYTE


def test_where_the_machine_runs_out_of_memory_programs_go_first(sandbox: ForkServer) -> None:
    scores = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if b"inside.zygote" in (process / "cmdline").read_bytes() and is_ours(int(process.name)):
                scores.append(int((process / "oom_score_adj").read_text()))
    assert scores
    assert set(scores) == {1000}
    assert int(Path("/proc/self/oom_score_adj").read_text()) < 1000


def is_ours(pid: int) -> bool:
    """Whether this process started it, or one of those that it started."""
    while pid > 1 and pid != os.getpid():
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return pid == os.getpid()
