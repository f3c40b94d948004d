"""The client against a real server that misbehaves in the ways servers do."""

import asyncio
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi import FastAPI, Request, Response

from services.client import (
    DeadlineExceededError,
    ExecutorClient,
    LabelerClient,
    LinewiseError,
    RequestError,
    RetryPolicy,
    ServerError,
    UnavailableError,
    UnreachableError,
)
from services.contracts import ExecuteRequest, JobRequest
from services.contracts.request_id import current_request_id

Serve = Callable[[FastAPI], str]
QUICK = RetryPolicy(attempts=3, first_s=0.01, longest_s=0.02)
REQUEST = ExecuteRequest(code="x = 1", tests=["assert x"])
ACCEPTED = '{"verdict": "accepted", "passed": 1, "total": 1, "wall_s": 0.1, "isolation": "none", "tests": []}'


class Scripted:
    """An app that answers `POST /execute` with each reply of a list in turn, and keeps the requests."""

    def __init__(self, *replies: Response | float) -> None:
        self.app = FastAPI()
        self.requests: list[Request] = []
        remaining = list(replies)

        @self.app.post("/execute")
        async def execute(request: Request) -> Response:
            self.requests.append(request)
            reply = remaining.pop(0)
            if isinstance(reply, float):
                await asyncio.sleep(reply)
                return Response(ACCEPTED)
            return reply


def error(status: int, headers: dict[str, str] | None = None) -> Response:
    body = '{"error": {"code": "busy", "message": "come back", "details": {"n": 1}}, "request_id": "r"}'
    return Response(body, status_code=status, headers=headers)


@pytest.mark.parametrize("status", [429, 503, 504])
async def test_overload_and_outage_are_tried_again(serve: Serve, status: int) -> None:
    script = Scripted(error(status), error(status), Response(ACCEPTED))
    async with ExecutorClient(serve(script.app), retry=QUICK) as client:
        assert (await client.execute(REQUEST)).verdict == "accepted"
    assert len(script.requests) == 3


@pytest.mark.parametrize(("status", "kind"), [(400, RequestError), (422, RequestError), (500, ServerError)])
async def test_a_refusal_or_a_crash_is_not_tried_again(serve: Serve, status: int, kind: type[Exception]) -> None:
    script = Scripted(error(status))
    async with ExecutorClient(serve(script.app), retry=QUICK) as client:
        with pytest.raises(kind, match="come back"):
            await client.execute(REQUEST)
    assert len(script.requests) == 1


async def test_the_last_failure_is_raised_when_attempts_run_out(serve: Serve) -> None:
    script = Scripted(*[error(503) for _ in range(3)])
    async with ExecutorClient(serve(script.app), retry=QUICK) as client:
        with pytest.raises(UnavailableError):
            await client.execute(REQUEST)
    assert len(script.requests) == 3


async def test_retry_after_is_honoured(serve: Serve) -> None:
    script = Scripted(error(429, {"Retry-After": "1"}), Response(ACCEPTED))
    async with ExecutorClient(serve(script.app), retry=QUICK) as client:
        started = time.monotonic()
        await client.execute(REQUEST)
    assert time.monotonic() - started >= 1.0


async def test_a_wait_that_would_pass_the_deadline_is_not_begun(serve: Serve) -> None:
    script = Scripted(error(503, {"Retry-After": "30"}))
    async with ExecutorClient(serve(script.app), retry=QUICK, timeout_s=2) as client:
        started = time.monotonic()
        with pytest.raises(UnavailableError):
            await client.execute(REQUEST)
    assert time.monotonic() - started < 2


async def test_a_silent_server_is_left_at_the_deadline(serve: Serve) -> None:
    async with ExecutorClient(serve(Scripted(3.0).app), timeout_s=0.3) as client:
        with pytest.raises(DeadlineExceededError, match=r"0\.3 s"):
            await client.execute(REQUEST)


async def test_nobody_listening_is_unreachable_and_tried_again(free_port: int) -> None:
    async with ExecutorClient(f"http://127.0.0.1:{free_port}", retry=QUICK) as client:
        with pytest.raises(UnreachableError, match="executor"):
            await client.execute(REQUEST)


async def test_a_connection_that_breaks_in_mid_answer_is_tried_again() -> None:
    accepted = 0

    async def break_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal accepted
        accepted += 1
        await reader.readuntil(b"}")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
        writer.close()

    server = await asyncio.start_server(break_off, "127.0.0.1", 0, family=socket.AF_INET)
    port = server.sockets[0].getsockname()[1]
    async with server, ExecutorClient(f"http://127.0.0.1:{port}", retry=QUICK) as client:
        with pytest.raises(UnreachableError):
            await client.execute(REQUEST)
    assert accepted == QUICK.attempts


async def test_an_answer_that_cannot_be_read_is_a_failure_of_the_server(serve: Serve) -> None:
    async with ExecutorClient(serve(Scripted(Response("<html>")).app)) as client:
        with pytest.raises(ServerError):
            await client.execute(REQUEST)


async def test_the_key_and_the_current_request_id_are_sent(serve: Serve) -> None:
    script = Scripted(Response(ACCEPTED))
    token = current_request_id.set("abc")
    async with ExecutorClient(serve(script.app), api_key="k1") as client:
        await client.execute(REQUEST)
    current_request_id.reset(token)
    headers = script.requests[0].headers
    assert (headers["authorization"], headers["x-request-id"]) == ("Bearer k1", "abc")


async def test_a_retried_job_carries_the_same_idempotency_key(serve: Serve) -> None:
    app = FastAPI()
    keys: list[str] = []

    @app.post("/jobs")
    async def jobs(request: Request) -> Response:
        keys.append((await request.json())["idempotency_key"])
        job = '{"id": "1", "name": "n", "status": "queued", "created_at": "2026-01-01T00:00:00Z"}'
        return error(503) if len(keys) == 1 else Response(job, status_code=202)

    problem = {"id": "1", "prompt": "", "solution": "", "tests": ["assert 1"]}
    async with LabelerClient(serve(app), retry=QUICK) as client:
        await client.create_job(JobRequest.model_validate({"name": "n", "problems": [problem]}))
    assert len(keys) == 2
    assert keys[0] == keys[1]
    assert keys[0]


async def test_the_key_of_a_file_is_looked_up_for_each_request(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "keys"
    monkeypatch.setenv("LINEWISE_API_KEY_FILE", str(file))
    script = Scripted(*(Response(ACCEPTED) for _ in range(4)))
    async with ExecutorClient(serve(script.app)) as client:
        for text in ("# the first counts\n\nold\nnew\n", "new\n"):
            file.write_text(text)
            await client.execute(REQUEST)
        file.write_text("# none\n")
        with pytest.raises(LinewiseError, match="holds no key"):
            await client.execute(REQUEST)
        monkeypatch.setenv("LINEWISE_API_KEY", "plain")
        await client.execute(REQUEST)
    sent = [request.headers["Authorization"] for request in script.requests]
    assert sent == ["Bearer old", "Bearer new", "Bearer plain"]


async def test_a_service_may_have_a_key_of_its_own(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINEWISE_API_KEY", "for all")
    monkeypatch.setenv("LINEWISE_SCORER_API_KEY", "for the scorer")
    script = Scripted(*(Response(ACCEPTED) for _ in range(2)))
    async with ExecutorClient(serve(script.app)) as client:
        await client.execute(REQUEST)
        (tmp_path / "key").write_text("for the executor\n")
        monkeypatch.setenv("LINEWISE_EXECUTOR_API_KEY_FILE", str(tmp_path / "key"))
        await client.execute(REQUEST)
    assert [it.headers["Authorization"] for it in script.requests] == ["Bearer for all", "Bearer for the executor"]
