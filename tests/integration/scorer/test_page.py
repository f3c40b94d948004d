"""The scorer's page over a real socket: what it shows is what `POST /score` answers, and no text becomes markup."""

import asyncio
import html
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from fastapi import FastAPI

from services.scorer.app import create_app
from services.scorer.page_form import EXAMPLE, LINK_BYTES, PageForm
from services.scorer.settings import ScorerSettings

Serve = Callable[[FastAPI], str]
ACCEPT = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
FORM = {"prompt": "Add one.", "code": "def f(x):\n    # one\n\n    return x + 1\n", "segment": "line"}


@pytest.fixture
def scorer(serve: Serve, checkpoint: Callable[[str], Path]) -> Callable[..., str]:
    """Serve the `roberta` checkpoint, with settings."""

    def start(**settings: Any) -> str:
        models = [f"prm={checkpoint('roberta')}", f"other={checkpoint('gpt2')}"]
        return serve(create_app(ScorerSettings(models=models, torch_threads=1, **settings)))

    return start


def see(url: str, **fields: str) -> httpx.Response:
    return httpx.get(url, params=fields, headers=ACCEPT)


def numbers(page: str) -> list[float]:
    return [float(value) for value in re.findall(r'<data value="([^"]+)"', page)]


def test_programs_still_get_name_and_version(scorer: Callable[..., str]) -> None:
    assert httpx.get(scorer()).json()["name"] == "scorer"


def test_a_link_shows_the_scores_and_aggregates_of_post_score(scorer: Callable[..., str]) -> None:
    url = scorer()
    page = see(url, **FORM, model="other")
    scored = httpx.post(f"{url}/score", json={**FORM, "model": "other"}).json()
    assert page.status_code == 200
    assert numbers(page.text) == pytest.approx([s["score"] for s in scored["steps"] if s["score"] is not None])
    assert page.text.count("no score</span>") == 2
    assert f"{scored['aggregate']['mean']:.3f}" in page.text
    assert "Scored by other." in page.text


def test_a_form_is_answered_with_the_link_that_says_the_same(scorer: Callable[..., str]) -> None:
    url = scorer()
    sent = {**FORM, "code": FORM["code"].replace("\n", "\r\n"), "model": "prm"}
    answer = httpx.post(url, data=sent, headers=ACCEPT)
    assert answer.status_code == 303
    assert answer.headers["Location"] == "?" + urlencode({**FORM, "model": "prm"})
    followed = httpx.post(url, data=sent, headers=ACCEPT, follow_redirects=True)
    assert numbers(followed.text) == numbers(see(url, **FORM).text)


def test_two_programs_are_scored_side_by_side(scorer: Callable[..., str]) -> None:
    url = scorer()
    page = httpx.get(f"{url}/{EXAMPLE.link}", headers=ACCEPT).text
    replies = [
        httpx.post(f"{url}/score", json={"prompt": EXAMPLE.prompt, "code": code}).json() for code in EXAMPLE.programs
    ]
    expected = [step["score"] for reply in replies for step in reply["steps"] if step["score"] is not None]
    assert numbers(page) == pytest.approx(expected, abs=1e-4)
    assert page.count("From here the programs differ.") == 2


def test_what_is_too_long_for_a_link_is_scored_all_the_same(scorer: Callable[..., str]) -> None:
    url = scorer()
    sent = {"prompt": "p" * LINK_BYTES, "code": "a = 1\n", "truncate": "prompt"}
    page = httpx.post(url, data=sent, headers=ACCEPT)
    assert page.status_code == 200
    assert len(numbers(page.text)) == 1
    assert 'id="link"' not in page.text
    assert "There is no link to this page" in page.text
    assert "beginning was dropped" in page.text


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        ({"code": "x = 1\n" * 1000}, 413, "Program is too long"),
        ({"code": "a = 1", "other": "x = 1\n" * 1000}, 413, "Program B is too long"),
        ({"code": "a", "model": "<nope>"}, 404, "There is no model '<nope>'"),
        ({"code": "a", "segment": "word"}, 422, "line, statement, block"),
    ],
)
def test_an_error_is_a_sentence_under_its_status_and_the_text_is_still_there(
    fields: dict[str, str], status: int, said: str, scorer: Callable[..., str]
) -> None:
    page = see(scorer(), prompt="keep me", **fields)
    assert page.status_code == status
    [alert] = re.findall(r'role="alert">(.*?)</p>', page.text)
    assert said in html.unescape(alert)
    assert "\nkeep me</textarea>" in page.text


async def test_a_full_queue_is_a_sentence_with_retry_after(scorer: Callable[..., str]) -> None:
    url = scorer(max_queue=1, max_wait_ms=500)
    async with httpx.AsyncClient(headers=ACCEPT) as client:
        pages = await asyncio.gather(*(client.get(url, params=FORM) for _ in range(4)))
    assert sorted(page.status_code for page in pages) == [200, 429, 429, 429]
    refused = next(page for page in pages if page.status_code == 429)
    assert refused.headers["Retry-After"] == "1"
    assert "its queue is full. Your text is still here" in refused.text


def test_behind_keys_it_still_scores(scorer: Callable[..., str]) -> None:
    page = httpx.get(scorer(api_keys="one"), params=FORM, headers=ACCEPT | {"Authorization": "Bearer one"})
    assert len(numbers(page.text)) == 2


def test_the_page_says_how_far_the_model_can_be_trusted_where_its_folder_does(
    serve: Serve, save_checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    known = save_checkpoint(tmp_path / "prm", linewise={"calibration": {"accuracy": 0.7852, "ece": 0.0733}})
    page = see(serve(create_app(ScorerSettings(models=[str(known)], torch_threads=1))), **FORM).text
    assert "Scored by prm, which was right on 79 % of held-out labels (calibration error 0.073)." in page


def test_without_a_model_the_page_says_how_to_get_one(serve: Serve) -> None:
    url = serve(create_app(ScorerSettings()))
    blank, asked = see(url), see(url, **FORM)
    assert (blank.status_code, asked.status_code) == (200, 503)
    for page in (blank, asked):
        assert "No model is loaded yet" in page.text
        assert "linewise serve scorer --model runs/demo/prm" in page.text


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "</textarea></pre><img src=x onerror=alert(1)>",
        "\"'><svg onload=alert(1)>",
        "{{ 7 * 7 }}{% raw %}",
        "\0\u202e\u2066x\x1b[31m",
        "&lt;b&gt;&amp;amp;",
    ],
)
@pytest.mark.parametrize("field", ["prompt", "code", "other", "model", "segment", "truncate"])
def test_hostile_text_becomes_no_markup(field: str, text: str, scorer: Callable[..., str]) -> None:
    url = scorer()
    page = see(url, **{**FORM, field: text}).text
    assert re.findall(r"<(script|img|svg)\b", page) == ["script"]
    assert re.search(r"<[^<>]*\son\w+=", page) is None
    assert "49" not in re.findall(r"<bdi>(.*?)</bdi>", page)


def test_bytes_that_are_no_unicode_are_shown_as_such(scorer: Callable[..., str]) -> None:
    url = scorer()
    answer = httpx.post(
        url,
        content=b"prompt=%ED%A0%80&code=\xff\xfe%00",
        headers=ACCEPT | {"Content-Type": "application/x-www-form-urlencoded"},
        follow_redirects=True,
    )
    assert answer.status_code == 200
    assert "\ufffd" in answer.text
    assert '<i class="name">U+0000</i>' in answer.text
    assert "NUL characters" in answer.text


def test_a_first_newline_stays_where_a_text_field_would_drop_it(scorer: Callable[..., str]) -> None:
    page = see(scorer(), code="\n\na = 1\n").text
    [field] = re.findall(r'<textarea id="code"[^>]*>(.*?)</textarea>', page, re.DOTALL)
    assert field == "\n\n\na = 1\n"


def test_the_pages_route_is_no_part_of_the_api(scorer: Callable[..., str]) -> None:
    paths = httpx.get(f"{scorer()}/openapi.json").json()["paths"]
    assert set(paths["/"]) == {"get"}


def test_a_forms_link_is_the_pages_own(scorer: Callable[..., str]) -> None:
    page = see(scorer(), **FORM, model="prm").text
    [href] = re.findall(r'id="link" href="([^"]+)"', page)
    assert html.unescape(href) == PageForm(**FORM, model="prm").link
