"""Each limit ends a test with its own verdict, in both tiers, and what was measured is plausible."""

import time
from collections.abc import Callable

import pytest

from services.contracts import ExecuteReply, TestResult, Verdict

Judge = Callable[..., ExecuteReply]
MEBIBYTE = 1024**2


def only(reply: ExecuteReply) -> TestResult:
    [test] = reply.tests
    return test


def test_the_wall_limit_is_kept_to_the_tenth_of_a_second(judge: Judge) -> None:
    test = only(judge("import time\ndef f():\n    time.sleep(9)", "assert f() == 1", wall_s=0.3))
    assert test.verdict is Verdict.TIME_LIMIT_EXCEEDED
    assert 0.3 <= test.wall_s < 0.7
    assert (test.cpu_s or 0) < 0.2


def test_the_processor_limit_ends_a_loop_before_the_wall_limit(judge: Judge) -> None:
    test = only(judge("def f():\n    while True:\n        pass", "assert f() == 1", cpu_s=0.3, wall_s=20))
    assert test.verdict is Verdict.TIME_LIMIT_EXCEEDED
    assert 0.3 <= (test.cpu_s or 0) < 1.5
    assert test.wall_s < 10


def test_processor_time_of_threads_adds_up(judge: Judge) -> None:
    """Two that hash at once, outside of the interpreter's lock, use up the limit sooner than the clock."""
    code = """
import hashlib, threading
block = bytes(2**22)
def burn():
    while True:
        hashlib.sha512(block)
def f():
    for _ in range(2):
        threading.Thread(target=burn).start()
"""
    stdio = {"kind": "stdio", "stdin": "", "expected_stdout": ""}
    test = only(judge(f"{code}f()\n", stdio, cpu_s=0.6, wall_s=20))
    assert test.verdict is Verdict.TIME_LIMIT_EXCEEDED
    assert 0.6 <= (test.cpu_s or 0) < 2.5


def test_processor_time_of_children_is_bound_by_the_wall_limit(judge: Judge) -> None:
    code = """
import os
def f():
    if os.fork() == 0:
        while True:
            pass
    os.wait()
"""
    assert only(judge(code, "assert f() == 1", cpu_s=0.3, wall_s=1)).verdict is Verdict.TIME_LIMIT_EXCEEDED


def test_sleeping_is_no_processor_time(judge: Judge) -> None:
    test = only(judge("import time\ndef f():\n    time.sleep(0.4)\n    return 1", "assert f() == 1", cpu_s=0.2))
    assert test.verdict is Verdict.ACCEPTED
    assert (test.cpu_s or 0) < 0.2
    assert 0.4 <= test.wall_s < 2


def test_processor_time_is_told_for_each_test(judge: Judge) -> None:
    code = """
import time
def f(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
    return 1
"""
    reply = judge(code, "assert f(0.3) == 1", "assert f(0) == 1", "assert f(0.1) == 1")
    told = [test.cpu_s or 0 for test in reply.tests]
    assert reply.verdict is Verdict.ACCEPTED
    assert 0.3 <= told[0] < 0.5
    assert told[1] < 0.1
    assert 0.1 <= told[2] < 0.3


def test_peak_memory_is_told(judge: Judge) -> None:
    code = "def f(size):\n    return len(bytearray(size).replace(b'\\0', b'\\1')) and 1\n"
    lean = only(judge(code, "assert f(1) == 1")).memory_bytes or 0
    fat = only(judge(code, f"assert f({60 * MEBIBYTE}) == 1")).memory_bytes or 0
    assert MEBIBYTE < lean < 100 * MEBIBYTE
    assert 55 * MEBIBYTE < fat - lean < 200 * MEBIBYTE


@pytest.mark.parametrize("memory_bytes", [32 * MEBIBYTE, 256 * MEBIBYTE])
def test_the_memory_limit_is_what_a_program_may_add(judge: Judge, memory_bytes: int) -> None:
    code = "def f(size):\n    return len(bytearray(size))\n"
    most, over = int(0.8 * memory_bytes), memory_bytes + MEBIBYTE
    reply = judge(code, f"assert f({most}) == {most}", f"assert f({over}) == {over}", memory_bytes=memory_bytes)
    assert [test.verdict for test in reply.tests] == [Verdict.ACCEPTED, Verdict.MEMORY_LIMIT_EXCEEDED]


def test_a_file_may_be_as_large_as_its_limit_and_no_larger(judge: Judge) -> None:
    code = """
def f(size):
    with open("file", "wb", 0) as file:
        return file.write(bytes(size)) == size and file.write(b"x") == 1
"""
    reply = judge(code, "assert f(999) == True", "assert f(1000) == True", "assert f(1001) == False", file_bytes=1000)
    assert [test.verdict for test in reply.tests] == [Verdict.ACCEPTED, Verdict.RUNTIME_ERROR, Verdict.ACCEPTED]
    assert reply.tests[1].error is not None
    assert reply.tests[1].error.type == "OSError"


def test_as_many_processes_as_the_limit_and_no_more(judge: Judge) -> None:
    code = """
import os, time
def f(more):
    for _ in range(more):
        if os.fork() == 0:
            time.sleep(9)
    return 1
"""
    assert judge(code, "assert f(4) == 1", processes=6).verdict is Verdict.ACCEPTED
    test = only(judge(code, "assert f(7) == 1", processes=6))
    assert test.error is not None
    assert (test.verdict, test.error.type) == (Verdict.RUNTIME_ERROR, "BlockingIOError")


@pytest.mark.parametrize(("length", "verdict"), [(999, Verdict.ACCEPTED), (1001, Verdict.OUTPUT_LIMIT_EXCEEDED)])
def test_output_is_cut_at_its_limit_to_the_byte(judge: Judge, length: int, verdict: Verdict) -> None:
    code = f"import sys\ndef f():\n    sys.stdout.write('é' * {length // 2} + 'x' * {length % 2})\n    return 1"
    test = only(judge(code, "assert f() == 1", output_bytes=1000))
    assert (test.verdict, test.truncated) == (verdict, length > 1000)
    assert len(test.stdout.encode()) == min(length, 1000)


def test_a_cut_output_is_never_a_time_out(judge: Judge) -> None:
    """Much is printed and then nothing comes for ever: the limit on output came first."""
    code = "import time\ndef f():\n    print('y' * 100_000, flush=True)\n    time.sleep(60)"
    started = time.monotonic()
    test = only(judge(code, "assert f() == 1", output_bytes=1000, wall_s=20))
    assert (test.verdict, test.truncated) == (Verdict.OUTPUT_LIMIT_EXCEEDED, True)
    assert time.monotonic() - started < 5


def test_output_below_the_limit_of_a_test_that_times_out_is_kept(judge: Judge) -> None:
    code = "import time\ndef f():\n    print('so far', flush=True)\n    time.sleep(60)"
    test = only(judge(code, "assert f() == 1", wall_s=0.3))
    assert (test.verdict, test.stdout, test.truncated) == (Verdict.TIME_LIMIT_EXCEEDED, "so far\n", False)


def test_what_many_tests_print_in_quick_succession_stays_with_each(judge: Judge) -> None:
    """To both streams, by way of Python and beside it, more in sum than a pipe holds, with lines left open."""
    code = """
import os, sys
def f(x):
    print(f"out {x} " + "o" * 2000, end="")
    sys.stdout.flush()
    os.write(1, b"|raw")
    os.write(2, b"e%d" % x)
    sys.stderr.write("E" * x)
    return x
"""
    reply = judge(code, *[f"assert f({x}) == {x}" for x in range(300)], wall_s=10)
    assert reply.passed == 300
    assert [test.stdout for test in reply.tests] == [f"out {x} {'o' * 2000}|raw" for x in range(300)]
    assert [test.stderr for test in reply.tests] == [f"e{x}{'E' * x}" for x in range(300)]


def test_one_test_over_each_limit_spares_the_others(judge: Judge) -> None:
    code = """
import time
def f(x):
    if x == 1:
        time.sleep(60)
    if x == 2:
        bytearray(2**40)
    if x == 3:
        print("y" * 200_000)
    if x == 4:
        while True:
            pass
    if x == 5:
        raise KeyError(x)
    print(x)
    return x
"""
    reply = judge(code, *[f"assert f({x}) == {x}" for x in range(7)], wall_s=0.5, cpu_s=0.2)
    assert [test.verdict for test in reply.tests] == [
        Verdict.ACCEPTED,
        Verdict.TIME_LIMIT_EXCEEDED,
        Verdict.MEMORY_LIMIT_EXCEEDED,
        Verdict.OUTPUT_LIMIT_EXCEEDED,
        Verdict.TIME_LIMIT_EXCEEDED,
        Verdict.RUNTIME_ERROR,
        Verdict.ACCEPTED,
    ]
    assert [test.stdout for test in reply.tests if test.verdict is Verdict.ACCEPTED] == ["0\n", "6\n"]
