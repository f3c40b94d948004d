"""`linewise up` with the real services: what it starts, what it refuses, and that nothing is left behind."""

import contextlib
import json
import os
import signal
import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from services.cli.ports import free_ports

SERVICES = {"scorer", "executor", "labeler"}
CODE = "def add(a, b):\n    total = a + b\n    return total\n"
EXECUTE = {"code": CODE, "tests": ["assert add(1, 2) == 3"]}
SCORE = {"prompt": "Add two numbers.", "code": CODE}
JOB = {"name": "one", "problems": [{"id": "1", "prompt": "Add.", "solution": CODE, "tests": EXECUTE["tests"]}]}


MANY = {
    "name": "many",
    "augmented_tests": 8,
    "problems": [
        {
            "id": str(number),
            "prompt": "Add.",
            "solution": CODE.replace("total", f"total_{number}"),
            "tests": EXECUTE["tests"],
        }
        for number in range(16)
    ],
}


@pytest.fixture
def ports() -> dict[str, int]:
    return dict(zip(sorted(SERVICES), free_ports(len(SERVICES)), strict=True))


@pytest.fixture
def arguments(ports) -> list[str]:
    return ["up", "--concurrency", "1", *(part for name in ports for part in (f"--{name}-port", str(ports[name])))]


@pytest.fixture
def up(started, arguments, eventually, ports):
    """A running `linewise up`, once it serves."""

    def start(*more: str, **extra: str):
        process = started(*arguments, *more, **extra)
        assert eventually(lambda: process.poll() is not None or serves(ports["labeler"]), within_s=120)
        assert process.poll() is None, process.stderr.read()
        title = process.stdout.readline()
        assert "Linewise is up" in title
        return process

    return start


def serves(port: int) -> bool:
    return status(f"http://127.0.0.1:{port}/readyz") == 200


def status(url: str) -> int | None:
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:
            return reply.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


def read(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=60) as reply:
        return reply.read()


def get(url: str) -> dict:
    return json.loads(read(url))


def post(url: str, body: object) -> dict:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as reply:
        return json.load(reply)


def test_all_three_answer_a_second_up_is_refused_and_ctrl_c_ends_everything(
    up, ports, checkpoint, linewise, descendants, lives, tmp_path
):
    process = up("--model", str(checkpoint))
    urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    assert post(f"{urls['executor']}/execute", EXECUTE)["verdict"] == "accepted"
    assert [step["first_line"] for step in post(f"{urls['scorer']}/score", SCORE)["steps"]] == [1, 2, 3]
    job = post(f"{urls['labeler']}/jobs", JOB)
    assert job["problems"]["total"] == 1

    second = linewise("up", "--scorer-port", "1", "--executor-port", "2", "--labeler-port", "3")
    assert second.returncode == 2
    assert f"another linewise (process {process.pid}) uses the data folder" in second.stderr

    family = descendants(process.pid)
    assert len(family) >= 6  # scorer, executor, labeler, worker and its process, Redis
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0
    assert said.rstrip().endswith("all ended.")
    assert not [pid for pid in family if lives(pid)]
    assert not (tmp_path / "data" / "redis.sock").exists()


def test_a_killed_service_comes_back_and_a_killed_supervisor_leaves_no_orphan(
    up, ports, eventually, descendants, lives
):
    process = up()
    assert status(f"http://127.0.0.1:{ports['scorer']}/readyz") == 503

    victim = next(pid for pid in descendants(process.pid) if runs(pid, "serve", "executor"))
    os.kill(victim, signal.SIGKILL)
    assert eventually(lambda: not serves(ports["executor"]))
    assert eventually(lambda: serves(ports["executor"]), within_s=60)
    assert post(f"http://127.0.0.1:{ports['executor']}/execute", EXECUTE)["verdict"] == "accepted"

    family = descendants(process.pid)
    process.kill()
    _, said = process.communicate(timeout=60)
    assert "linewise demo" in said  # how to get a model
    assert "executor ended with signal SIGKILL; restarting it in 0.5 s." in said
    assert eventually(lambda: not [pid for pid in family if lives(pid)], within_s=45)


def test_redis_killed_in_mid_job_comes_back_and_the_job_loses_and_doubles_nothing(
    up, ports, eventually, descendants, linewise
):
    process, labeler = up(), f"http://127.0.0.1:{ports['labeler']}"
    undisturbed = post(f"{labeler}/jobs", MANY)["id"]
    assert eventually(lambda: get(f"{labeler}/jobs/{undisturbed}")["status"] == "succeeded", within_s=100)

    job = post(f"{labeler}/jobs", MANY)["id"]
    assert eventually(lambda: get(f"{labeler}/jobs/{job}")["problems"]["done"], within_s=60)
    os.kill(next(pid for pid in descendants(process.pid) if is_redis(pid)), signal.SIGKILL)
    assert get(f"{labeler}/jobs/{job}")["status"] == "running"
    assert eventually(lambda: get(f"{labeler}/jobs/{job}")["status"] == "succeeded", within_s=100)
    assert read(f"{labeler}/jobs/{job}/labels") == read(f"{labeler}/jobs/{undisturbed}/labels")
    assert any(is_redis(pid) for pid in descendants(process.pid))

    compared = linewise("compare-teachers", undisturbed, job, "--json", LINEWISE_LABELER_URL=labeler)
    places = json.loads(compared.stdout)["places"]
    assert (places["agreement"], places["only_a"], places["only_b"]) == (1.0, 0, 0)
    unknown = linewise("compare-teachers", undisturbed, "no-such-job", LINEWISE_LABELER_URL=labeler)
    assert (unknown.returncode, len(unknown.stderr.splitlines())) == (2, 1)

    process.kill()
    assert "redis ended with signal SIGKILL; restarting it in 0.5 s." in process.communicate(timeout=60)[1]


def is_redis(pid: int) -> bool:
    return b"redis-server" in command(pid)


def runs(pid: int, *words: str) -> bool:
    return set(map(str.encode, words)) <= set(command(pid).split(b"\0"))


def command(pid: int) -> bytes:
    """Empty of a process that has gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def test_a_port_in_use_is_one_sentence_before_anything_starts(linewise, arguments, ports, tmp_path):
    with socket.create_server(("127.0.0.1", ports["executor"])):
        result = linewise(*arguments)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert f"in use already: port {ports['executor']} (executor)" in result.stderr
    assert "--executor-port" in result.stderr
    assert not (tmp_path / "data" / "logs").exists()
