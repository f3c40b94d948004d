"""The executor over a real socket: its routes, its refusals, and what it leaves behind."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from services.executor.app import create_app
from services.executor.sandbox import SandboxError
from services.executor.settings import ExecutorSettings
from services.executor.worker import Worker

Serve = Callable[[FastAPI], str]
ADD_ONE = "def f(x):\n    return x + 1\n"


@pytest.fixture
def client(serve: Serve) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=serve(create_app(ExecutorSettings(workers=2))), timeout=60) as made:
        yield made


def zygotes() -> list[int]:
    """The zygotes of the workers that this process started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            worker = parent(parent(int(folder.name)))
            if b"inside.zygote" in (folder / "cmdline").read_bytes() and parent(worker) == os.getpid():
                found.append(int(folder.name))
    return found


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def kill_zygotes() -> None:
    for pid in zygotes():
        os.kill(pid, signal.SIGKILL)


def sleeping(seconds: float) -> dict[str, Any]:
    return {"code": f"import time\ntime.sleep({seconds})\n", "tests": ["assert 1 == 1"]}


def test_execute_answers_the_contracts_example(client: httpx.Client) -> None:
    tests = [
        "assert f(1) == 2",
        {"kind": "call", "function": "f", "args": [1], "kwargs": {}, "expected": 2},
        {"kind": "stdio", "stdin": "3\n", "expected_stdout": "4\n"},
    ]
    reply = client.post("/execute", json={"code": ADD_ONE, "tests": tests, "setup": "", "language": "python"}).json()
    assert (reply["verdict"], reply["passed"], reply["total"]) == ("wrong_answer", 2, 3)
    assert "rlimits" in reply["isolation"].split("+")
    first = reply["tests"][0]
    assert (first["verdict"], first["assurance"], first["error"]) == ("accepted", "high", None)
    assert first["memory_bytes"] > 0
    assert {"wall_s", "cpu_s", "stdout", "stderr", "truncated"} <= first.keys()


def test_a_batch_keeps_its_order_and_one_bad_program_spoils_no_other(client: httpx.Client) -> None:
    bad = ["def f(:", "import os\nos._exit(0)", "while True: pass", "1/0", "import os\nos.kill(0, 9)"]
    programs = []
    for number, code in enumerate(bad):
        limits = {"wall_s": 0.5}
        programs.append({"code": code, "tests": ["assert f(1) == 2"], "limits": limits})
        programs.append({"code": f"def f(x):\n    return {number}\n", "tests": [f"assert f(1) == {number}"]})
    results = client.post("/execute/batch", json={"programs": programs}).json()["results"]
    assert [result["verdict"] for result in results[::2]] == [
        "compile_error",
        "runtime_error",
        "time_limit_exceeded",
        "runtime_error",
        "runtime_error",
    ]
    assert [result["verdict"] for result in results[1::2]] == ["accepted"] * len(bad)


def test_an_empty_batch_has_no_results(client: httpx.Client) -> None:
    assert client.post("/execute/batch", json={"programs": []}).json() == {"results": []}


@pytest.mark.parametrize(
    ("route", "body", "path"),
    [
        ("/execute", {"tests": []}, "code"),
        ("/execute", {"code": "", "tests": [], "limits": {"wall_s": 0}}, "limits.wall_s"),
        ("/execute", {"code": "", "tests": [], "colour": 1}, "colour"),
        ("/execute/batch", {"programs": [{"code": ""}]}, "programs[0].tests"),
    ],
)
def test_malformed_fields_are_422_with_their_path(client: httpx.Client, route: str, body: Any, path: str) -> None:
    reply = client.post(route, json=body)
    assert reply.status_code == 422
    assert reply.json()["error"]["details"][0]["path"] == path


def test_malformed_json_and_a_lone_surrogate_are_422(client: httpx.Client) -> None:
    for body in (b"{", b'{"code": "\\ud800", "tests": []}'):
        assert client.post("/execute", content=body).status_code == 422


def test_a_limit_above_the_maximum_is_400_and_names_its_field(client: httpx.Client) -> None:
    program = {"code": ADD_ONE, "tests": [], "limits": {"wall_s": 1e6}}
    alone = client.post("/execute", json=program)
    assert alone.status_code == 400
    assert alone.json()["error"]["details"]["path"] == "limits.wall_s"
    batch = client.post("/execute/batch", json={"programs": [{"code": "", "tests": []}, program]})
    assert batch.status_code == 400
    assert batch.json()["error"]["details"]["path"] == "programs[1].limits.wall_s"


def test_overload_is_429_with_retry_after_and_a_batch_beyond_the_queue_is_413(serve: Serve) -> None:
    settings = ExecutorSettings(workers=1, queue_size=1)
    with httpx.Client(base_url=serve(create_app(settings)), timeout=60) as client:
        callers = [threading.Thread(target=client.post, args=("/execute",), kwargs={"json": sleeping(1)}) for _ in "12"]
        for caller in callers:
            caller.start()
            time.sleep(0.3)
        refused = client.post("/execute", json=sleeping(0))
        assert refused.status_code == 429
        assert int(refused.headers["Retry-After"]) >= 1
        assert client.post("/execute/batch", content=b"{").status_code == 429  # before it is read
        for caller in callers:
            caller.join()
        assert client.post("/execute/batch", json={"programs": [sleeping(0)] * 2}).status_code == 413
        assert client.post("/execute", json=sleeping(0)).json()["verdict"] == "accepted"


def test_readiness_and_metrics_tell_isolation_and_verdicts(client: httpx.Client) -> None:
    details = client.get("/readyz").json()["details"]
    assert details["workers"] == 2
    isolation = client.post("/execute", json={"code": ADD_ONE, "tests": ["assert f(1) == 2"]}).json()["isolation"]
    assert isolation == details["isolation"]
    metrics = client.get("/metrics").text
    assert f'linewise_executor_programs_total{{isolation="{isolation}",verdict="accepted"}} 1.0' in metrics
    assert f'linewise_executor_programs_total{{isolation="{isolation}",verdict="internal_error"}} 0.0' in metrics
    assert 'linewise_executor_tests_total{assurance="high",verdict="accepted"} 1.0' in metrics
    assert f'linewise_executor_isolation_info{{isolation="{isolation}"}} 1.0' in metrics
    figures = {
        "queued_programs": 0,
        "running_programs": 0,
        "live_sandboxes": 2,
        "wait_seconds_count": 1,
        "run_seconds_count": 1,
        "children_total": 1,
        "abandoned_programs_total": 0,
        "deadline_passed_total": 0,
        "replaced_sandboxes_total": 0,
        "failed_sandbox_starts_total": 0,
    }
    for name, figure in figures.items():
        assert f"linewise_executor_{name} {figure:.1f}" in metrics


def test_a_zygote_that_dies_is_replaced_and_its_program_still_has_a_verdict(serve: Serve) -> None:
    with httpx.Client(base_url=serve(create_app(ExecutorSettings(workers=1))), timeout=60) as client:
        killer = threading.Timer(0.3, kill_zygotes)
        killer.start()
        assert client.post("/execute", json=sleeping(1)).json()["verdict"] == "accepted"
        assert "linewise_executor_replaced_sandboxes_total 1.0" in client.get("/metrics").text


def test_our_own_failure_is_a_500_alone_and_internal_error_in_a_batch(
    serve: Serve, make_broken: Callable[[int], Worker]
) -> None:
    url = serve(create_app(ExecutorSettings(workers=1), make_worker=make_broken))
    with httpx.Client(base_url=url, timeout=60) as client:
        alone = client.post("/execute", json=sleeping(0))
        assert alone.status_code == 500
        assert alone.json()["error"]["code"] == "internal_error"
        [result] = client.post("/execute/batch", json={"programs": [sleeping(0)]}).json()["results"]
        assert (result["verdict"], result["total"], result["tests"]) == ("internal_error", 1, [])


def test_without_a_sandbox_the_service_is_not_ready_until_one_starts_again(
    serve: Serve, make_broken: Callable[[int], Worker]
) -> None:
    starts = True

    def make_worker(number: int) -> Worker:
        if not starts:
            raise SandboxError("no more")
        return make_broken(number)

    url = serve(create_app(ExecutorSettings(workers=1), make_worker=make_worker))
    with httpx.Client(base_url=url, timeout=60) as client:
        assert client.get("/readyz").status_code == 200
        starts = False
        assert client.post("/execute", json=sleeping(0)).status_code == 500
        assert client.get("/readyz").status_code == 503
        refused = client.post("/execute", json=sleeping(0))
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "no_sandbox")
        assert "linewise_executor_live_sandboxes 0.0" in client.get("/metrics").text
        starts = True
        deadline = time.monotonic() + 20
        while client.get("/readyz").status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        metrics = client.get("/metrics").text
        assert "linewise_executor_live_sandboxes 1.0" in metrics
        assert "linewise_executor_failed_sandbox_starts_total 0.0" not in metrics


def test_a_client_that_leaves_frees_its_place(serve: Serve) -> None:
    with httpx.Client(base_url=serve(create_app(ExecutorSettings(workers=1))), timeout=60) as client:
        batch = [{**sleeping(0.4), "limits": {"wall_s": 2}}] * 100
        with pytest.raises(httpx.ReadTimeout):
            client.post("/execute/batch", json={"programs": batch}, timeout=0.3)
        started = time.monotonic()
        assert client.post("/execute", json=sleeping(0)).json()["verdict"] == "accepted"
        assert time.monotonic() - started < 5
        assert 'status="499"' in client.get("/metrics").text


async def test_shutdown_leaves_no_process_and_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    app = create_app(ExecutorSettings(workers=2))
    async with app.router.lifespan_context(app):
        assert len(zygotes()) == 2
        assert len(os.listdir(tmp_path)) == 2
    assert zygotes() == []
    assert os.listdir(tmp_path) == []
