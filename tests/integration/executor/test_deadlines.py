"""A request's own deadline over a real socket: 504 when it passes, and no work for nobody after it."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request

from services.client import DeadlineExceededError, ExecutorClient, RetryPolicy
from services.contracts import ExecuteRequest
from services.contracts.deadline import HEADER
from services.executor.app import create_app
from services.executor.settings import ExecutorSettings

Serve = Callable[[FastAPI], str]


@pytest.fixture
def client(serve: Serve) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=serve(create_app(ExecutorSettings(workers=1))), timeout=60) as made:
        yield made


def sleeping(seconds: float, tests: int = 1) -> dict[str, Any]:
    return {
        "code": f"import time\ndef f():\n    time.sleep({seconds})\n    return 1\n",
        "tests": ["assert f() == 1"] * tests,
    }


def within(client: httpx.Client, seconds: float, route: str, body: Any) -> tuple[int, float]:
    """The status, and how long it took."""
    started = time.monotonic()
    reply = client.post(route, json=body, headers={HEADER: str(seconds)})
    if reply.status_code == 504:
        assert reply.json()["error"]["code"] == "deadline_passed"
    return reply.status_code, time.monotonic() - started


def metric(client: httpx.Client, name: str) -> float:
    lines = client.get("/metrics").text.splitlines()
    return float(next(line for line in lines if line.startswith(f"linewise_executor_{name} ")).split()[1])


@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("/execute", sleeping(3)),
        ("/execute/batch", {"programs": [sleeping(0.3)] * 10}),
        ("/run_code", {"code": "import time\ntime.sleep(3)", "language": "python"}),
    ],
)
def test_a_deadline_that_passes_is_504_and_frees_the_sandbox(client: httpx.Client, route: str, body: Any) -> None:
    status, took_s = within(client, 0.5, route, body)
    assert status == 504
    assert 0.4 < took_s < 1
    status, took_s = within(client, 30, "/execute", sleeping(0))
    assert (status, took_s < 1) == (200, True)
    assert metric(client, "deadline_passed_total") == 1
    assert metric(client, "abandoned_programs_total") >= 1


def test_a_program_between_its_tests_is_left_at_the_deadline(client: httpx.Client) -> None:
    assert within(client, 0.5, "/execute", sleeping(0.2, tests=50))[0] == 504
    assert within(client, 30, "/execute", sleeping(0))[1] < 1


def test_a_deadline_that_is_kept_changes_nothing(client: httpx.Client) -> None:
    assert within(client, 30, "/execute", sleeping(0.1))[0] == 200
    assert within(client, 30, "/execute/batch", {"programs": [sleeping(0)]})[0] == 200
    assert metric(client, "abandoned_programs_total") == 0


@pytest.mark.parametrize("seconds", ["0", "-1", "soon", "nan", "inf"])
def test_a_deadline_that_is_none_is_422(client: httpx.Client, seconds: str) -> None:
    reply = client.post("/execute", json=sleeping(0), headers={HEADER: seconds})
    assert reply.status_code == 422
    assert reply.json()["error"]["details"][0]["path"] == f"header.{HEADER}"


async def test_the_client_tells_what_is_left_of_its_time(serve: Serve) -> None:
    left: list[float] = []
    app = FastAPI()

    @app.post("/execute", status_code=503)
    async def busy(request: Request) -> None:
        left.append(float(request.headers[HEADER]))

    retry = RetryPolicy(attempts=3, first_s=0.2, longest_s=0.2)
    async with ExecutorClient(serve(app), timeout_s=5, retry=retry) as client:
        with pytest.raises(Exception, match="503"):
            await client.execute(ExecuteRequest(code="", tests=[]))
    assert len(left) == 3
    assert 5 >= left[0] > left[1] > left[2] > 3


async def test_a_client_out_of_time_leaves_no_program_running(serve: Serve) -> None:
    url = serve(create_app(ExecutorSettings(workers=1)))
    async with ExecutorClient(url, timeout_s=0.5) as client:
        with pytest.raises(DeadlineExceededError):
            await client.execute_batch([ExecuteRequest.model_validate(sleeping(0.3))] * 20)
    async with ExecutorClient(url, timeout_s=2) as client:
        assert (await client.execute(ExecuteRequest.model_validate(sleeping(0)))).passed == 1
