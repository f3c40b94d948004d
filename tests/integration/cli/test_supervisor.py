"""The supervisor with tiny real processes: order, restarts, and nothing left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from services.cli.children import ChildSpec, Stage
from services.cli.errors import UsageError
from services.cli.probes import file_appears
from services.cli.supervisor import Supervisor

SLEEPER = """
import pathlib, signal, sys, time
me, diary = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
def end(number, frame):
    with diary.open("a") as book:
        book.write(me.name + "\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
me.touch()
while True:
    time.sleep(0.02)
"""


@pytest.fixture
def sleeper(tmp_path: Path) -> Callable[..., ChildSpec]:
    """A child that is ready once its file is there, and writes its name into `diary` when it is asked to end."""

    def spec(name: str, stage: Stage = Stage.SERVICE, source: str = SLEEPER, **options: object) -> ChildSpec:
        argv = (sys.executable, "-c", source, str(tmp_path / name), str(tmp_path / "diary"))
        return ChildSpec(name, argv, ready=file_appears(tmp_path / name), stage=stage, **options)

    return spec


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervise(tmp_path: Path, said: list[str]) -> Callable[..., Supervisor]:
    return lambda *specs, **options: Supervisor(specs, log_folder=tmp_path / "logs", announce=said.append, **options)


def test_children_end_services_first_then_worker_then_broker(sleeper, supervise, tmp_path, lives):
    specs = [sleeper("broker", Stage.BROKER), sleeper("worker", Stage.WORKER), sleeper("service")]
    with supervise(*specs) as supervisor:
        pids = supervisor.pids
        assert all(lives(pid) for pid in pids.values())
    assert (tmp_path / "diary").read_text().split() == ["service", "worker", "broker"]
    assert not any(lives(pid) for pid in pids.values())


def test_a_killed_child_is_restarted_and_said_so(sleeper, supervise, said, eventually, lives):
    with supervise(sleeper("a"), sleeper("b")) as supervisor:
        first = supervisor.pids
        os.kill(first["a"], signal.SIGKILL)
        assert eventually(lambda: supervisor.pids["a"] != first["a"])
        assert lives(supervisor.pids["a"])
        assert supervisor.pids["b"] == first["b"]
    assert said == ["a ended with signal SIGKILL; restarting it in 0.5 s."]


def test_a_child_that_dies_again_is_restarted_twice_as_late(sleeper, supervise, said, eventually):
    dying = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).touch(); time.sleep(0.3); sys.exit(7)"
    with supervise(sleeper("a", source=dying)):
        assert eventually(lambda: len(said) >= 2)
    assert said[:2] == [
        "a ended with exit code 7; restarting it in 0.5 s.",
        "a ended with exit code 7; restarting it in 1 s.",
    ]


def test_a_child_that_cannot_start_is_quoted_and_the_others_end(sleeper, supervise, lives):
    doomed = "import sys; print('linewise: no checkpoint there.', file=sys.stderr); sys.exit(2)"
    broker = sleeper("broker", Stage.BROKER)
    supervisor = supervise(broker, sleeper("doomed", source=doomed))
    with pytest.raises(UsageError, match=r"doomed ended with exit code 2 before it was ready: no checkpoint there \("):
        supervisor.__enter__()
    assert not any(lives(pid) for pid in supervisor.pids.values())


def test_a_child_that_is_never_ready_is_an_error(sleeper, supervise, lives):
    supervisor = supervise(sleeper("mute", source="import time; time.sleep(60)"), ready_within_s=0.5)
    with pytest.raises(UsageError, match=r"mute: not ready after 0\.5 s"):
        supervisor.__enter__()
    assert not lives(supervisor.pids["mute"])


def test_grandchildren_end_with_their_parent(sleeper, supervise, tmp_path, eventually, lives):
    family = (
        "import pathlib, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "me = pathlib.Path(sys.argv[1]); me.with_suffix('.tmp').write_text(str(child.pid))\n"
        "me.with_suffix('.tmp').rename(me); time.sleep(60)"
    )
    with supervise(sleeper("parent", source=family)):
        grandchild = int((tmp_path / "parent").read_text())
        assert lives(grandchild)
    assert eventually(lambda: not lives(grandchild))


def test_kill_does_not_wait_for_a_child_that_ignores_the_request(sleeper, supervise, lives):
    deaf = (
        "import pathlib, signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "pathlib.Path(sys.argv[1]).touch(); time.sleep(60)"
    )
    began = time.monotonic()
    with supervise(sleeper("deaf", source=deaf)) as supervisor:
        pid = supervisor.pids["deaf"]
        supervisor.kill()
    assert not lives(pid)
    assert time.monotonic() - began < 10


def test_a_supervisor_that_is_killed_leaves_no_orphan(tmp_path, eventually, lives):
    """The child's own parent is SIGKILLed, so nothing but the kernel's death signal can end it."""
    keeper = (
        "import pathlib, sys, time\n"
        "from services.cli.children import ChildSpec\n"
        "from services.cli.supervisor import Supervisor\n"
        "here = pathlib.Path(sys.argv[1])\n"
        "spec = ChildSpec('child', (sys.executable, '-c', 'import time; time.sleep(60)'), ready=lambda: True)\n"
        "with Supervisor([spec], log_folder=here, announce=print) as supervisor:\n"
        "    (here / 'tmp').write_text(str(supervisor.pids['child'])); (here / 'tmp').rename(here / 'pid')\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", keeper, str(tmp_path)]) as process:
        assert eventually((tmp_path / "pid").exists)
        child = int((tmp_path / "pid").read_text())
        assert lives(child)
        process.kill()
    assert eventually(lambda: not lives(child))


def test_a_signal_while_waiting_still_ends_the_children_in_order(tmp_path, eventually, lives):
    """CPython 3.11 takes a thread for ended once a signal has interrupted a join of it."""
    keeper = (
        "import pathlib, sys\n"
        "from services.cli.children import ChildSpec\n"
        "from services.cli.interrupts import ending_in_order\n"
        "from services.cli.supervisor import Supervisor\n"
        "here = pathlib.Path(sys.argv[1])\n"
        "argv = (sys.executable, '-c', pathlib.Path(sys.argv[2]).read_text(), str(here / 'pid'), str(here / 'diary'))\n"
        "spec = ChildSpec('child', argv, ready=(here / 'pid').exists)\n"
        "supervisor = Supervisor([spec], log_folder=here, announce=print)\n"
        "try:\n"
        "    with ending_in_order(supervisor.kill, print), supervisor:\n"
        "        (here / 'tmp').write_text(str(supervisor.pids['child'])); (here / 'tmp').rename(here / 'waiting')\n"
        "        supervisor.wait()\n"
        "except KeyboardInterrupt:\n"
        "    sys.exit(0 if (here / 'diary').exists() else 9)\n"
    )
    (tmp_path / "sleeper.py").write_text(SLEEPER)
    with subprocess.Popen([sys.executable, "-c", keeper, str(tmp_path), str(tmp_path / "sleeper.py")]) as process:
        assert eventually((tmp_path / "waiting").exists)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0
    assert not lives(int((tmp_path / "waiting").read_text()))
