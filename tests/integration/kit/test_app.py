"""What the factory gives every service, over a real socket."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request
from prometheus_client import CollectorRegistry
from pydantic import BaseModel
from starlette.responses import StreamingResponse

from services.contracts import ErrorReply, Readiness
from services.kit.app import build_app
from services.kit.early_refusal import Refusal
from services.kit.errors import NotFoundError, OverloadedError
from services.kit.settings import ServiceSettings

Serve = Callable[[FastAPI], str]


class Item(BaseModel):
    """A body with something to get wrong."""

    numbers: list[int]


def an_app(
    ready: Readiness | None = None,
    max_waiting: int | None = None,
    refusals: Mapping[str, Refusal] | None = None,
    **settings: object,
) -> FastAPI:
    router = APIRouter()

    @router.get("/wait")
    async def wait(request: Request) -> int:
        request.app.state.waiting += 1
        while not request.app.state.released:  # noqa: ASYNC110 - set by another thread
            await asyncio.sleep(0.01)
        return 1

    @router.post("/sum")
    async def add(item: Item) -> int:
        return sum(item.numbers)

    @router.get("/things/{name}")
    async def thing(name: str) -> None:
        if name == "crash":
            raise RuntimeError("secret")
        if name == "busy":
            raise OverloadedError("queue_full", "the queue is full", retry_after_s=1.2)
        raise NotFoundError("unknown_thing", f"there is no {name}")

    @router.get("/stream")
    async def stream() -> StreamingResponse:
        async def break_off() -> AsyncIterator[bytes]:
            yield b"x"
            await asyncio.sleep(0)
            raise RuntimeError("secret")

        return StreamingResponse(break_off())

    async def readiness() -> Readiness:
        return ready or Readiness(ready=True)

    app = build_app(
        name="thing",
        summary="A service of the tests.",
        settings=ServiceSettings.model_validate(settings),
        routers=[router],
        registry=CollectorRegistry(),
        readiness=readiness,
        max_waiting=max_waiting,
        refusals=refusals,
    )
    app.state.released, app.state.waiting = False, 0
    return app


async def test_malformed_json_and_fields_are_422_with_the_fields_path(serve: Serve) -> None:
    async with httpx.AsyncClient(base_url=serve(an_app())) as client:
        wrong_field = await client.post("/sum", json={"numbers": [1, "two"]})
        no_json = await client.post("/sum", content="{", headers={"Content-Type": "application/json"})
    error = ErrorReply.model_validate_json(wrong_field.content).error
    assert (wrong_field.status_code, error.code) == (422, "malformed_request")
    assert error.details[0]["path"] == "numbers[1]"
    assert "two" not in wrong_field.text
    assert no_json.status_code == 422


async def test_every_error_has_the_contracts_body_and_the_request_id(serve: Serve) -> None:
    async with httpx.AsyncClient(base_url=serve(an_app()), headers={"X-Request-ID": "r-1"}) as client:
        answers = {path: await client.get(path) for path in ("/things/x", "/things/busy", "/things/crash", "/none")}
        answers["/sum"] = await client.get("/sum")
    codes = {path: (a.status_code, ErrorReply.model_validate_json(a.content).error.code) for path, a in answers.items()}
    assert codes == {
        "/things/x": (404, "unknown_thing"),
        "/things/busy": (429, "queue_full"),
        "/things/crash": (500, "internal_error"),
        "/none": (404, "not_found"),
        "/sum": (405, "method_not_allowed"),
    }
    assert {answer.json()["request_id"] for answer in answers.values()} == {"r-1"}
    assert {answer.headers["X-Request-ID"] for answer in answers.values()} == {"r-1"}
    assert answers["/things/busy"].headers["Retry-After"] == "2"
    assert "secret" not in answers["/things/crash"].text


async def test_an_ill_formed_request_id_is_replaced(serve: Serve) -> None:
    async with httpx.AsyncClient(base_url=serve(an_app())) as client:
        answer = await client.get("/healthz", headers={"X-Request-ID": 'a"b c'})
    assert answer.headers["X-Request-ID"] != 'a"b c'
    assert len(answer.headers["X-Request-ID"]) == 32


async def test_with_keys_all_but_health_readiness_and_metrics_want_one(serve: Serve) -> None:
    async with httpx.AsyncClient(base_url=serve(an_app(api_keys="one,two"))) as client:
        for path in ("/healthz", "/readyz", "/metrics"):
            assert (await client.get(path)).status_code == 200
        for headers in ({}, {"Authorization": "Bearer three"}, {"Authorization": "Basic one"}, {"Authorization": ""}):
            answer = await client.get("/", headers=headers)
            assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
            assert ErrorReply.model_validate_json(answer.content).error.code == "unauthorized"
        for key in ("one", "two"):
            assert (await client.get("/", headers={"Authorization": f"Bearer {key}"})).status_code == 200


async def test_keys_are_rotated_by_their_file_while_it_serves(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("old\nnew\n")

    async def statuses() -> list[int]:
        headers = ({"Authorization": f"Bearer {key}"} for key in ("fixed", "old", "new"))
        return [(await client.get("/", headers=sent)).status_code for sent in headers]

    async with httpx.AsyncClient(base_url=serve(an_app(api_keys="fixed", api_keys_file=file))) as client:
        assert await statuses() == [200, 200, 200]
        file.write_text("new\n")
        assert await statuses() == [200, 401, 200]


async def test_a_body_over_the_limit_is_413_announced_or_not(serve: Serve) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 100

    async with httpx.AsyncClient(base_url=serve(an_app(max_body_bytes=1000))) as client:
        announced = await client.post("/sum", json={"numbers": [1] * 1000})
        streamed = await client.post("/sum", content=chunks(), headers={"Content-Type": "application/json"})
        small = await client.post("/sum", json={"numbers": [1, 2]})
    assert [announced.status_code, streamed.status_code, small.json()] == [413, 413, 3]
    assert ErrorReply.model_validate_json(streamed.content).error.message


async def test_readiness_and_its_reason_come_from_the_service_until_it_drains(serve: Serve) -> None:
    app = an_app(Readiness(ready=False, reason="no model"))
    async with httpx.AsyncClient(base_url=serve(app)) as client:
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()["reason"]) == (503, "no model")
        app.state.drain.begin()
        assert (await client.get("/readyz")).json()["reason"] == "draining"
        assert (await client.get("/healthz")).status_code == 200


async def test_requests_are_counted_by_route_and_status(serve: Serve) -> None:
    async with httpx.AsyncClient(base_url=serve(an_app())) as client:
        await client.get("/things/a")
        await client.get("/things/b")
        await client.get("/nowhere")
        metrics = (await client.get("/metrics")).text
    assert 'linewise_http_requests_total{method="GET",route="/things/{name}",status="404"} 2.0' in metrics
    assert 'linewise_http_requests_total{method="GET",route="unmatched",status="404"} 1.0' in metrics


async def test_what_is_refused_before_it_is_routed_counts_for_the_route_that_it_asked_for(serve: Serve) -> None:
    async with httpx.AsyncClient(base_url=serve(an_app(api_keys="one", max_body_bytes=10))) as client:
        await client.post("/sum")
        await client.post("/sum", content=b" " * 11, headers={"Authorization": "Bearer one"})
        await client.post("/nowhere")
        metrics = (await client.get("/metrics")).text
    assert 'linewise_http_requests_total{method="POST",route="/sum",status="401"} 1.0' in metrics
    assert 'linewise_http_requests_total{method="POST",route="/sum",status="413"} 1.0' in metrics
    assert 'linewise_http_requests_total{method="POST",route="unmatched",status="401"} 1.0' in metrics


async def test_a_stream_that_breaks_is_cut_and_not_ended_as_if_whole(serve: Serve) -> None:
    async with httpx.AsyncClient(base_url=serve(an_app())) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/stream")


async def test_the_root_tells_name_and_version_and_the_documents_exist(serve: Serve) -> None:
    async with httpx.AsyncClient(base_url=serve(an_app())) as client:
        assert (await client.get("/")).json()["name"] == "thing"
        document = (await client.get("/openapi.json")).json()
        assert (await client.get("/docs")).status_code == 200
    statuses = set(document["paths"]["/sum"]["post"]["responses"])
    assert {"200", "401", "413", "422", "429", "503"} <= statuses


async def test_more_than_may_wait_are_429_while_probes_and_streams_go_on(serve: Serve) -> None:
    app = an_app(max_waiting=2)
    async with httpx.AsyncClient(base_url=serve(app), timeout=60) as client:
        held = [asyncio.create_task(client.get("/wait")) for _ in range(2)]
        async with asyncio.timeout(60):
            while app.state.waiting < 2:  # noqa: ASYNC110 - it is counted by another thread
                await asyncio.sleep(0.01)
        refused = await client.get("/wait")
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
        assert (await client.get("/readyz")).status_code == 200
        app.state.released = True
        assert [answer.status_code for answer in await asyncio.gather(*held)] == [200, 200]
        assert (await client.get("/wait")).status_code == 200


async def test_a_request_that_would_be_refused_is_so_before_its_body_is_read(serve: Serve) -> None:
    reason: list[OverloadedError] = [OverloadedError("full", "the queue is full")]
    app = an_app(refusals={"/sum": lambda: reason[0] if reason else None}, api_keys="one")

    async with httpx.AsyncClient(base_url=serve(app), headers={"Authorization": "Bearer one"}) as client:
        malformed = await client.post("/sum", content=b"{")
        assert (malformed.status_code, malformed.headers["Retry-After"]) == (429, "1")
        assert ErrorReply.model_validate_json(malformed.content).error.code == "full"
        assert (await client.post("/sum", headers={"Authorization": "Bearer two"})).status_code == 401
        assert (await client.get("/sum")).status_code == 405
        reason.clear()
        assert (await client.post("/sum", content=b"{")).status_code == 422
        assert (await client.post("/sum", json={"numbers": [1, 2]})).json() == 3
