"""Programs that never end, or never stop talking."""

import time
from collections.abc import Callable

import pytest

from services.contracts import ExecuteReply, Verdict

Judge = Callable[..., ExecuteReply]
pytestmark = pytest.mark.usefixtures("the_next_program_is_served")


@pytest.mark.parametrize("descriptor", [1, 2])
def test_an_output_flood_ends_at_once_and_is_no_time_out(judge: Judge, descriptor: int) -> None:
    code = f"import os\ndef f():\n    while True:\n        os.write({descriptor}, b'y' * 9999)\n"
    started = time.monotonic()
    reply = judge(code, "assert f() == 1", wall_s=20, cpu_s=20)
    assert reply.verdict is Verdict.OUTPUT_LIMIT_EXCEEDED
    assert reply.tests[0].truncated
    assert time.monotonic() - started < 10


def test_an_output_flood_from_many_processes_ends(judge: Judge) -> None:
    code = """
import os
def f():
    for _ in range(3):
        os.fork()
    while True:
        os.write(1, b"y" * 9999)
"""
    assert judge(code, "assert f() == 1", wall_s=20, cpu_s=20).verdict is Verdict.OUTPUT_LIMIT_EXCEEDED


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


@pytest.mark.parametrize(
    "wait", ["time.sleep(60)", "signal.pause()", "os.read(os.pipe()[0], 1)", "(lambda: 10**10**9)()"]
)
def test_waiting_for_ever_ends_at_the_wall_limit(judge: Judge, wait: str) -> None:
    started = time.monotonic()
    reply = judge(f"import os, signal, time\ndef f():\n    {wait}\n", "assert f() == 1", wall_s=0.4)
    assert reply.verdict is Verdict.TIME_LIMIT_EXCEEDED
    assert time.monotonic() - started < 3


def test_standard_input_is_at_its_end(judge: Judge) -> None:
    reply = judge("import sys\ndef f():\n    return sys.stdin.read()\n", "assert f() == ''", wall_s=1)
    assert reply.verdict is Verdict.ACCEPTED
