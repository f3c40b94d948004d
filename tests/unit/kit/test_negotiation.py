"""Who gets a page and who gets JSON."""

import pytest
from starlette.datastructures import Headers

from services.kit.negotiation import prefers_html

FIREFOX = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize(
    "accept",
    [
        FIREFOX,
        "text/html",
        "TEXT/HTML ; Q=0.2",
        "text/*",
        "application/json;q=0.5, text/html",
        "*/*, application/json;q=0.9",
    ],
)
def test_who_ranks_html_higher_gets_the_page(accept: str) -> None:
    assert prefers_html(Headers({"Accept": accept}))


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "application/json",
        "text/html, application/json",
        "text/html;q=0.5, application/json",
        "text/html;q=0",
        "text/html;q=much",
        "text/html;q=nan",
        "text/html;q=7",
        ";;,,;q=",
    ],
)
def test_a_tie_and_what_cannot_be_read_is_jsons(accept: str) -> None:
    assert not prefers_html(Headers({"Accept": accept}))


def test_no_header_is_jsons_and_two_are_read_as_one() -> None:
    assert not prefers_html(Headers({}))
    assert prefers_html(Headers(raw=[(b"accept", b"application/json;q=0.1"), (b"accept", b"text/html")]))
