"""A worker's process does what it is told, fails apart from the service, and leaves nothing behind."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from services.contracts import CallTest, ExecuteReply, ExecuteRequest, RunCodeReply, RunCodeRequest, Verdict
from services.executor.making import SandboxPlan
from services.executor.planning import sandbox_plans
from services.executor.run_code import plan_run
from services.executor.sandbox import Bounds, SandboxError
from services.executor.settings import ExecutorSettings
from services.executor.tasks import Examination
from services.executor.worker_process import WorkerProcess

BOUNDS = Bounds(wall_s=20.0, cpu_s=20.0, memory_bytes=2**28, output_bytes=65536, file_bytes=1024**2, processes=16)
SLEEPS = "import time\ndef f(seconds):\n    time.sleep(seconds)\n    return 1\n"


@pytest.fixture
def plan() -> SandboxPlan:
    return sandbox_plans(ExecutorSettings(workers=1, packages=(), LINEWISE_ALLOW_WEAK_ISOLATION=True))(0)


@pytest.fixture
def worker(plan: SandboxPlan) -> Iterator[WorkerProcess]:
    made = WorkerProcess(plan)
    yield made
    made.close()


def examination(code: str, *tests: str) -> Examination:
    return Examination(ExecuteRequest.model_validate({"code": code, "tests": list(tests)}), BOUNDS)


def wanted() -> bool:
    return False


def parents() -> dict[int, int]:
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            found[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    return found


def workers() -> list[int]:
    """Processes of ours that are a worker's."""
    return [pid for pid, parent in parents().items() if parent == os.getpid() and b"worker_main" in command(pid)]


def command(pid: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def descendants(root: int) -> set[int]:
    """The living processes below `root`."""
    found, known = {root}, parents()
    while more := {pid for pid, parent in known.items() if parent in found} - found:
        found |= more
    return found


def is_alive(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_it_examines_and_says_how_many_children_that_took(worker: WorkerProcess) -> None:
    code = "import os\ndef f(x):\n    return os._exit(3) if x == 2 else x"
    done = worker.do(examination(code, "assert f(1) == 1", "assert f(2) == 2", "assert f(3) == 3"), wanted)
    reply = ExecuteReply.model_validate_json(done.body)
    verdicts = [test.verdict for test in reply.tests]
    assert verdicts == [Verdict.ACCEPTED, Verdict.RUNTIME_ERROR, Verdict.ACCEPTED]
    assert reply.isolation == done.isolation == worker.isolation
    assert done.children == 2


def test_it_runs_programs_whole(worker: WorkerProcess) -> None:
    request = RunCodeRequest(code="print(input())", language="python", stdin="é\n")
    done = worker.do(plan_run(request, ExecutorSettings()), wanted)
    reply = RunCodeReply.model_validate_json(done.body)
    assert reply.run_result is not None
    assert (reply.run_result.stdout, done.outcome, done.children) == ("é\n", "Success", 1)


def test_what_nobody_wants_any_more_ends_with_its_current_test(worker: WorkerProcess) -> None:
    asked = [False]
    threading.Timer(0.2, lambda: asked.__setitem__(0, True)).start()
    done = worker.do(examination(SLEEPS, *["assert f(0.3) == 1"] * 50), lambda: asked[0])
    assert 0 < len(ExecuteReply.model_validate_json(done.body).tests) < 10
    assert worker.do(examination("x = 1", "assert x == 1"), wanted).outcome == Verdict.ACCEPTED


def test_a_word_that_comes_too_late_is_not_about_the_next_task(worker: WorkerProcess) -> None:
    """The caller leaves while the outcome is already on its way."""
    for _ in range(20):
        worker.do(examination("x = 1", "assert x == 1"), lambda: True)
        done = worker.do(examination("x = 1", "assert x == 1", "assert x == 1"), wanted)
        assert done.tests == (("accepted", "high", 2),)


def test_a_process_that_is_killed_is_a_failed_sandbox_and_takes_its_program_along(worker: WorkerProcess) -> None:
    [process] = workers()
    below = descendants(process)
    threading.Timer(0.3, os.kill, (process, signal.SIGKILL)).start()
    with pytest.raises(SandboxError, match="gone"):
        worker.do(examination(SLEEPS, "assert f(15) == 1"), wanted)
    eventually(lambda: not any(map(is_alive, below)))


def test_a_zygote_that_is_killed_is_a_failed_sandbox(worker: WorkerProcess) -> None:
    [process] = workers()
    known = parents()
    [waiting] = [pid for pid in descendants(process) - set(known.values()) if b"inside.zygote" in command(pid)]
    os.kill(known[waiting], signal.SIGKILL)
    with pytest.raises(SandboxError):
        worker.do(examination("x = 1", "assert x == 1"), wanted)


def test_a_fault_of_ours_comes_with_its_traceback_and_nothing_submitted(worker: WorkerProcess) -> None:
    test = CallTest(function="f", expected_literal="(submitted_text")
    with pytest.raises(RuntimeError, match=r"Traceback(?s:.)*SyntaxError") as raised:
        worker.do(Examination(ExecuteRequest(code="", tests=[test]), BOUNDS), wanted)
    assert "submitted_text" not in str(raised.value)
    assert worker.do(examination("x = 1", "assert x == 1"), wanted).children == 1


def test_closing_ends_what_runs_and_leaves_nothing(plan: SandboxPlan, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(tmp_path))
        worker = WorkerProcess(plan)
    [process] = workers()
    below = descendants(process)
    closing = threading.Timer(0.3, worker.close)
    closing.start()
    with pytest.raises(SandboxError):
        worker.do(examination(SLEEPS, "assert f(15) == 1"), wanted)
    closing.join()
    assert not any(map(is_alive, below))
    assert os.listdir(tmp_path) == []
    worker.close()
    with pytest.raises(SandboxError):
        worker.do(examination("x = 1", "assert x == 1"), wanted)


def test_secrets_of_the_service_are_not_in_its_environment(plan: SandboxPlan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINEWISE_API_KEYS", "sesame-42")
    worker = WorkerProcess(plan)
    try:
        [process] = workers()
        for pid in descendants(process):
            with suppress(OSError):
                assert b"sesame-42" not in Path(f"/proc/{pid}/environ").read_bytes()
                assert b"sesame-42" not in command(pid)
    finally:
        worker.close()


@pytest.mark.parametrize("interpreter", ["/bin/false", "/no/such/python"])
def test_a_process_that_does_not_start_is_a_sandbox_that_does_not(
    plan: SandboxPlan, monkeypatch: pytest.MonkeyPatch, interpreter: str
) -> None:
    before = len(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(sys, "executable", interpreter)
    with pytest.raises(SandboxError, match="start"):
        WorkerProcess(plan)
    assert workers() == []
    assert len(os.listdir("/proc/self/fd")) == before
