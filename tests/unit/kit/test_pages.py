"""The frame of every page: all text escaped, and a policy that allows its own style and script and nothing else."""

import base64
import hashlib
import re
from pathlib import Path

import pytest

from services.kit.pages import Pages

HOSTILE = "</p><script>alert(1)</script><img src=x onerror=alert(1)>\" onmouseover='alert(1)'"


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    template = '{% extends "frame.html" %}{% block main %}<p title="{{ text }}">{{ text }}</p>{% endblock %}'
    (tmp_path / "thing.html").write_text(template)
    (tmp_path / "page.css").write_text("p { margin: 1px }\n")
    return Pages("thing", tmp_path)


def test_text_is_escaped_in_elements_and_in_attributes(pages: Pages) -> None:
    html = pages.show("thing.html", text=HOSTILE).body.decode()
    assert html.count("<script") == 1
    assert "<img" not in html
    assert "&lt;script&gt;alert(1)" in html
    assert '" onmouseover' not in html


def test_the_policy_allows_the_style_and_the_script_of_the_page_by_hash_and_nothing_inline_else(pages: Pages) -> None:
    reply = pages.show("thing.html", text="")
    policy = dict(rule.split(" ", 1) for rule in reply.headers["Content-Security-Policy"].split("; "))
    html = reply.body.decode()
    for element, rule in (("style", "style-src"), ("script", "script-src")):
        [content] = re.findall(rf"<{element}[^>]*>(.*?)</{element}>", html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert policy[rule] == f"'sha256-{digest}'"
    assert "p { margin: 1px }" in html
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert "unsafe" not in reply.headers["Content-Security-Policy"]
    assert not re.search(r'(src|href)="(?!data:|#|\?|\.)', html)


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb", "\0", "\u202e"])
def test_any_string_can_be_shown(text: str, pages: Pages) -> None:
    assert pages.show("thing.html", text=text).status_code == 200


def test_the_door_is_401_and_the_same_for_everyone(pages: Pages) -> None:
    one, other = pages.door(), pages.door()
    assert (one.status_code, one.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert one.body == other.body
    assert b"key" in one.body


def test_nothing_is_kept_by_caches_or_told_to_other_sites(pages: Pages) -> None:
    headers = pages.show("thing.html", text="").headers
    assert (headers["Cache-Control"], headers["Referrer-Policy"]) == ("no-store", "no-referrer")
