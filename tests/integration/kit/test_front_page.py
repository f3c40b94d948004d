"""`GET /` for people and for programs, with and without keys, over a real socket."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.requests import Request
from starlette.responses import Response

from services.contracts import ErrorReply, Readiness
from services.kit.app import build_app
from services.kit.front_page import FrontPage
from services.kit.pages import Pages
from services.kit.settings import ServiceSettings

Serve = Callable[[FastAPI], str]
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.fixture
def service(serve: Serve, tmp_path: Path) -> Callable[..., str]:
    """A service with a page that shows its query."""
    (tmp_path / "thing.html").write_text('{% extends "frame.html" %}{% block main %}<p>{{ query }}</p>{% endblock %}')
    pages = Pages("thing", tmp_path)

    async def view(request: Request) -> Response:
        return pages.show("thing.html", query=request.url.query)

    async def readiness() -> Readiness:
        return Readiness(ready=True)

    def start(**settings: object) -> str:
        app = build_app(
            name="thing",
            summary="A service of the tests.",
            settings=ServiceSettings.model_validate(settings),
            routers=[],
            registry=CollectorRegistry(),
            readiness=readiness,
            front_page=FrontPage(view, pages.door),
        )
        return serve(app)

    return start


def test_people_get_the_page_and_programs_get_json(service: Callable[..., str]) -> None:
    url = service()
    page, plain = httpx.get(f"{url}/?a=b", headers=BROWSER), httpx.get(url)
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "<p>a=b</p>" in page.text
    assert set(plain.json()) == {"name", "version"}
    assert "Accept" in page.headers["Vary"]
    assert plain.headers["Vary"] == "Accept"


def test_behind_keys_a_person_without_one_gets_401_and_the_door_which_shows_nothing_of_the_request(
    service: Callable[..., str],
) -> None:
    reply = httpx.get(f"{service(api_keys='one')}/?code=secret", headers=BROWSER)
    assert (reply.status_code, reply.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert 'type="password"' in reply.text
    assert "secret" not in reply.text
    assert reply.headers["X-Request-ID"]


def test_behind_keys_all_else_is_answered_as_before(service: Callable[..., str]) -> None:
    url = service(api_keys="one")
    refused = [httpx.get(url), httpx.get(f"{url}/docs", headers=BROWSER), httpx.post(url, headers=BROWSER)]
    assert [reply.status_code for reply in refused] == [401, 401, 401]
    assert {ErrorReply.model_validate_json(reply.content).error.code for reply in refused} == {"unauthorized"}
    assert "<p>a</p>" in httpx.get(f"{url}/?a", headers=BROWSER | {"Authorization": "Bearer one"}).text
