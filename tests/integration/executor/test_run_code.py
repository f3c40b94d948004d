"""`/run_code` over a real socket: what SandboxFusion's clients send, and what they make of the reply."""

import base64
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from services.executor.app import create_app
from services.executor.settings import ExecutorSettings
from services.executor.worker import Worker

Serve = Callable[[FastAPI], str]
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def client(serve: Serve) -> Iterator[httpx.Client]:
    settings = ExecutorSettings(workers=1, pod_name="pod-7", max_wall_s=20)
    with httpx.Client(base_url=serve(create_app(settings)), timeout=60) as made:
        yield made


@pytest.fixture
def run(client: httpx.Client) -> Run:
    """Send a program as verl does; the reply, which must be a 200."""

    def send(code: str, stdin: str | None = None, language: str = "python", **fields: Any) -> dict[str, Any]:
        body = {"compile_timeout": 10, "run_timeout": 10, "code": code, "stdin": stdin, "language": language}
        reply = client.post("/run_code", json={**body, "files": {}, "fetch_files": [], **fields})
        assert reply.status_code == 200, reply.text
        found: dict[str, Any] = reply.json()
        return found

    return send


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def test_a_program_is_run_whole_with_its_input(run: Run) -> None:
    reply = run(
        "import sys\nif __name__ == '__main__':\n    print(int(input()) + 1)\n    print('e', file=sys.stderr)", "3\n"
    )
    result = reply.pop("run_result")
    assert reply == {
        "status": "Success",
        "message": "",
        "compile_result": None,
        "executor_pod_name": "pod-7",
        "files": {},
    }
    assert 0 < result.pop("execution_time") < 5
    assert result == {"status": "Finished", "return_code": 0, "stdout": "4\n", "stderr": "e\n"}


@pytest.mark.parametrize(
    ("code", "return_code"),
    [
        ("import sys; print('out'); sys.exit(3)", 3),
        ("import sys; print('out'); sys.exit('why')", 1),
        ("import sys; print('out'); sys.exit(0)", 0),
        ("import sys; print('out'); sys.exit()", 0),
        ("import os; print('out', flush=True); os._exit(5)", 5),
        ("import os; print('out', flush=True); os._exit(0)", 0),
        ("print('out'); 1 / 0", 1),
        ("import ctypes; print('out', flush=True); ctypes.string_at(0)", -11),
    ],
)
def test_the_exit_code_decides_and_the_output_is_kept(run: Run, code: str, return_code: int) -> None:
    reply = run(code)
    assert reply["status"] == ("Success" if return_code == 0 else "Failed")
    result = reply["run_result"]
    assert (result["status"], result["return_code"], result["stdout"]) == ("Finished", return_code, "out\n")


def test_an_uncaught_exception_is_on_stderr(run: Run) -> None:
    result = run("def f(x):\n    return 1 // x\nf(0)\n")["run_result"]
    assert result["stderr"].startswith('Traceback (most recent call last):\n  File "<program>", line 3')
    assert "ZeroDivisionError" in result["stderr"]


def test_code_that_does_not_compile_has_failed_with_its_line(run: Run) -> None:
    reply = run("x = 1\ndef f(:\n")
    assert (reply["status"], reply["compile_result"]) == ("Failed", None)
    result = reply["run_result"]
    assert (result["status"], result["return_code"]) == ("Finished", 1)
    assert "line 2" in result["stderr"]
    assert "SyntaxError" in result["stderr"]


@pytest.mark.parametrize("code", ["while True: pass", "import time\ntime.sleep(60)"])
def test_a_program_out_of_time_keeps_what_it_printed(run: Run, code: str) -> None:
    reply = run(f"print('before', flush=True)\n{code}", run_timeout=0.5)
    result = reply["run_result"]
    assert (reply["status"], result["status"], result["return_code"]) == ("Failed", "TimeLimitExceeded", None)
    assert result["stdout"] == "before\n"
    assert 0.4 < result["execution_time"] < 5


def test_processor_time_is_bounded_by_the_time_that_was_asked_for_and_no_sooner(run: Run) -> None:
    spin = "import time\nend = time.process_time() + 5.3\nwhile time.process_time() < end: pass\nprint('done')"
    assert run(spin, run_timeout=15)["run_result"]["stdout"] == "done\n"


def test_output_of_many_pages_is_whole_and_no_time_out(run: Run) -> None:
    result = run("print('x' * 150_000)")["run_result"]
    assert (result["status"], result["return_code"], len(result["stdout"])) == ("Finished", 0, 150_001)


def test_output_without_end_is_cut_and_is_no_time_out(run: Run) -> None:
    started = time.monotonic()
    reply = run("while True: print('x' * 1000)", run_timeout=10)
    assert time.monotonic() - started < 8
    result = reply["run_result"]
    assert (reply["status"], result["status"], result["return_code"]) == ("Failed", "Error", None)
    assert len(result["stdout"]) == 1024**2
    assert "1048576 bytes" in reply["message"]


def test_memory_is_limited_as_asked(run: Run) -> None:
    hungry = "x = bytearray(200 * 1024 * 1024)\nprint(len(x))"
    assert run(hungry, memory_limit_MB=1024)["status"] == "Success"
    reply = run(hungry, memory_limit_MB=100)
    assert (reply["status"], reply["run_result"]["status"]) == ("Failed", "Finished")
    assert "100 MiB" in reply["message"]


def test_files_lie_in_the_folder_and_are_fetched_from_it(run: Run) -> None:
    code = (
        "import os\nos.mkdir('out')\ndata = open('in/data.bin', 'rb').read()\nopen('out/copy', 'wb').write(data[::-1])"
    )
    reply = run(code, files={"in/data.bin": encoded(b"\0\1\2")}, fetch_files=["out/copy", "./in/data.bin", "nothing"])
    assert reply["status"] == "Success", reply
    assert reply["files"] == {"out/copy": encoded(b"\2\1\0"), "./in/data.bin": encoded(b"\0\1\2")}


def test_files_are_fetched_from_a_program_that_failed_and_seen_by_no_other(run: Run) -> None:
    reply = run("open('a', 'w').write('x')\n1 / 0", fetch_files=["a"])
    assert (reply["status"], reply["files"]) == ("Failed", {"a": encoded(b"x")})
    assert run("pass", fetch_files=["a"])["files"] == {}


def test_a_program_imports_modules_that_came_with_it(run: Run) -> None:
    reply = run("from helper import f\nprint(f(1))", files={"helper.py": encoded(b"def f(x):\n    return x + 1\n")})
    assert reply["run_result"]["stdout"] == "2\n", reply


def test_pytest_runs_the_code_as_a_file_of_tests(run: Run) -> None:
    tests = (
        "from helper import f\n\ndef test_one(tmp_path):\n    (tmp_path / 'a').write_text('a')\n    assert f(1) == 2\n"
    )
    files = {"helper.py": encoded(b"def f(x):\n    return x + 1\n")}
    passing = run(tests, language="pytest", files=files, memory_limit_MB=1024)
    assert passing["status"] == "Success", passing
    assert "1 passed" in passing["run_result"]["stdout"]
    assert "plugins:" not in passing["run_result"]["stdout"]
    assert passing["run_result"]["stderr"] == ""
    failing = run(tests.replace("== 2", "== 3"), language="pytest", files=files, memory_limit_MB=1024)
    assert (failing["status"], failing["run_result"]["return_code"]) == ("Failed", 1)
    assert "assert 2 == 3" in failing["run_result"]["stdout"]


def test_pytest_takes_further_arguments(run: Run) -> None:
    tests = "def test_this():\n    assert True\n\ndef test_that():\n    assert False\n"
    chosen = run(tests, language="pytest", args=["-k", "test_this"], memory_limit_MB=1024)
    assert chosen["status"] == "Success", chosen


@pytest.mark.parametrize(
    ("fields", "code", "path"),
    [
        ({"language": "cpp"}, "unsupported_language", "language"),
        ({"run_timeout": 21}, "limit_too_high", "run_timeout"),
        ({"memory_limit_MB": 10**6}, "limit_too_high", "memory_limit_MB"),
        ({"files": {"../a": ""}}, "bad_path", "files"),
        ({"files": {"/a": ""}}, "bad_path", "files"),
        ({"files": {"a": "?"}}, "not_base64", "files"),
        ({"fetch_files": ["/etc/passwd"]}, "bad_path", "fetch_files"),
    ],
)
def test_what_cannot_be_done_is_400_and_names_its_field(
    client: httpx.Client, fields: dict[str, Any], code: str, path: str
) -> None:
    reply = client.post("/run_code", json={"code": "", "language": "python", **fields})
    assert reply.status_code == 400
    error = reply.json()["error"]
    assert (error["code"], error["details"]["path"]) == (code, path)


def test_fields_of_other_versions_are_passed_over_and_malformed_ones_are_422(client: httpx.Client) -> None:
    body = {"code": "print(1)", "language": "python", "something_new": True}
    assert client.post("/run_code", json=body).json()["run_result"]["stdout"] == "1\n"
    reply = client.post("/run_code", json={**body, "run_timeout": 0})
    assert reply.status_code == 422
    assert reply.json()["error"]["details"][0]["path"] == "run_timeout"


def test_overload_is_504_early_or_at_once_and_never_429(serve: Serve) -> None:
    settings = ExecutorSettings(workers=1, queue_size=1, run_code_queue_wait_s=1)
    sleeping = {"code": "import time\ntime.sleep(3)\nprint('done')", "language": "python"}
    with httpx.Client(base_url=serve(create_app(settings)), timeout=60) as client:
        replies: list[httpx.Response] = []
        first = threading.Thread(target=lambda: replies.append(client.post("/run_code", json=sleeping)))
        first.start()
        time.sleep(0.5)
        second = threading.Thread(target=lambda: replies.append(client.post("/run_code", json=sleeping)))
        second.start()
        time.sleep(0.1)
        full = client.post("/run_code", json=sleeping)
        assert (full.status_code, full.json()["error"]["code"]) == (504, "overloaded")
        second.join()
        assert (replies[0].status_code, replies[0].json()["error"]["code"]) == (504, "queue_wait")
        first.join()
        assert replies[1].json()["run_result"]["stdout"] == "done\n"


def test_replies_are_counted_by_status(client: httpx.Client, run: Run) -> None:
    run("pass")
    run("1 / 0")
    metrics = client.get("/metrics").text
    assert 'linewise_executor_run_code_total{language="python",status="Success"} 1.0' in metrics
    assert 'linewise_executor_run_code_total{language="python",status="Failed"} 1.0' in metrics


def test_our_own_failure_is_a_500_and_no_result(serve: Serve, make_broken: Callable[[int], Worker]) -> None:
    url = serve(create_app(ExecutorSettings(workers=1), make_worker=make_broken))
    reply = httpx.post(f"{url}/run_code", json={"code": "", "language": "python"}, timeout=60)
    assert reply.status_code == 500
    assert reply.json()["error"]["code"] == "internal_error"
