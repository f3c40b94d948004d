"""The scorer's page in a real browser, from a real scorer process.

Wants Debian's Chromium (`apt-get install chromium`); Playwright's own download is never used. Its synchronous calls
hold the thread's event loop while they run, so no test here may be asynchronous.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect, sync_playwright

from services.scorer.page_form import EXAMPLE, PageForm

EXAMPLE_PATH = f"/{EXAMPLE.link}"
CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PROMPT = "Write a function to add one."
CODE = "def f(x):\n    # one more\n\n    y = x + 1\n    return y\n"
HOSTILE = (
    "</textarea><script>window.ran = 1</script><img src=x onerror='window.ran = 2'>\n"
    "\"><svg onload=window.ran=3></svg>\n<a href='javascript:window.ran=4'>\u202e\u2066 \x1b\n"
    "<iframe srcdoc='<script>parent.ran = 5</script>'></iframe>\n<meta http-equiv=refresh content='0;url=http://x.test'>\n"
)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH: apt-get install chromium")


@pytest.fixture(scope="module")
def start(checkpoint: Callable[[str], Path]) -> Iterator[Callable[..., str]]:
    """`linewise serve scorer` in a process of its own, ready, with settings from the environment."""
    running: list[subprocess.Popen[bytes]] = []

    def start_one(**environment: str) -> str:
        port = free_port()
        command = [sys.executable, "-P", "-m", "services.cli", "serve", "scorer", "--port", str(port)]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("LINEWISE_")}
        models = ["--model", f"prm={checkpoint('roberta')}", "--model", f"other={checkpoint('gpt2')}"]
        process = subprocess.Popen([*command, *models], env=clean | environment, stdout=subprocess.DEVNULL)
        running.append(process)
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 120
        while not is_ready(url):
            assert process.poll() is None, "the scorer did not start"
            assert time.monotonic() < deadline, "the scorer took more than two minutes to start"
            time.sleep(0.1)
        return url

    yield start_one
    for process in running:
        process.terminate()
        assert process.wait(30) == 0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def url(start: Callable[..., str]) -> str:
    return start()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


class Watched:
    """A page of a context of its own that remembers what its console said and where it went."""

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.page: Page = context.new_page()
        self.said: list[str] = []
        self.hosts: set[str] = set()
        self.opened: set[str] = set()
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", self._see)

    def _hear(self, message: ConsoleMessage) -> None:
        is_the_pages_own_status = message.location["url"] in self.opened and "Failed to load" in message.text
        if message.type in ("error", "warning") and not is_the_pages_own_status:
            self.said.append(message.text)

    def _see(self, request: Request) -> None:
        self.hosts.add(urlsplit(request.url).netloc)
        if request.is_navigation_request():
            self.opened.add(request.url)


@pytest.fixture
def visit(browser: Browser, url: str) -> Iterator[Callable[..., Page]]:
    """Open a page in a fresh context; at the test's end none has complained or asked another host."""
    visitors: list[Watched] = []

    def open_one(path: str = "", **options: Any) -> Page:
        visitor = Watched(browser.new_context(**options))
        visitors.append(visitor)
        visitor.page.goto(url + path)
        return visitor.page

    yield open_one
    for visitor in visitors:
        assert visitor.said == []
        assert visitor.hosts <= {urlsplit(url).netloc, ""}
        visitor.context.close()


def fill_and_score(page: Page, *, prompt: str = PROMPT, code: str = CODE, other: str = "", **choices: str) -> None:
    page.get_by_label("Task", exact=True).fill(prompt)
    page.get_by_label("Program", exact=True).fill(code)
    page.get_by_label("Another one, to compare").fill(other)
    for label, choice in choices.items():
        page.get_by_label({"model": "Model", "segment": "A score for each"}[label]).select_option(choice)
    page.get_by_role("button", name="Score").click()
    page.wait_for_load_state()


def shown_scores(page: Page) -> list[str]:
    return page.locator("table.lines data").all_inner_texts()


def scores(url: str, **body: str) -> list[float | None]:
    return [step["score"] for step in httpx.post(f"{url}/score", json=body).json()["steps"]]


def test_a_pasted_program_shows_the_numbers_and_colours_of_post_score(visit: Callable[..., Page], url: str) -> None:
    page = visit()
    fill_and_score(page, model="other")
    expected = scores(url, prompt=PROMPT, code=CODE, model="other")
    rows = page.locator("table.lines tbody tr")
    assert rows.count() == len(expected) == 5
    plain = "rgba(0, 0, 0, 0)"
    for row, score in zip(rows.all(), expected, strict=True):
        background = row.evaluate("row => getComputedStyle(row).backgroundColor")
        if score is None:
            assert (row.locator("data").count(), background) == (0, plain)
            continue
        assert row.locator("data").inner_text() == f"{score:.2f}"
        red, blue = mixed(background)
        level = round(abs(2 * score - 1) * 10)
        assert (red - blue > 0, blue - red > 0) == (score < 0.5 and level > 0, score >= 0.5 and level > 0)
    figures = dict(zip(page.locator("dt").all_inner_texts(), page.locator("dd").all_inner_texts(), strict=True))
    aggregate = httpx.post(f"{url}/score", json={"prompt": PROMPT, "code": CODE, "model": "other"}).json()["aggregate"]
    for name in ("mean", "min", "last"):
        assert figures[name] == f"{aggregate[name]:.3f}"


def mixed(background: str) -> tuple[float, float]:
    """The red and the blue of a computed colour, `rgb(r, g, b)` or `color(srgb r g b)`."""
    red, _, blue = [float(number) for number in re.findall(r"[\d.]+", background.replace("srgb", ""))][:3]
    return red, blue


def test_the_deepest_colours_are_at_the_ends_and_the_middle_is_paper(visit: Callable[..., Page]) -> None:
    page = visit(EXAMPLE_PATH)
    colours = page.evaluate(
        """() => ['low l10', 'low l5', 'high l0', 'high l5', 'high l10'].map(name => {
            const row = document.querySelector('table.lines tbody tr'); row.className = name;
            return getComputedStyle(row).backgroundColor; })"""
    )
    tints = [red - blue for red, blue in map(mixed, colours)]
    assert tints == sorted(tints, reverse=True)
    assert tints[2] == 0
    assert len(set(tints)) == 5


def test_a_second_program_stands_beside_the_first(visit: Callable[..., Page], url: str) -> None:
    page = visit(viewport={"width": 1200, "height": 800})
    other = "def f(x):\n    return x\n"
    fill_and_score(page, other=other)
    cards = page.locator("article.program")
    assert cards.count() == 2
    left, right = (card.bounding_box() for card in cards.all())
    assert left is not None
    assert right is not None
    assert left["y"] == right["y"]
    assert left["x"] + left["width"] <= right["x"]
    expected = [*scores(url, prompt=PROMPT, code=CODE), *scores(url, prompt=PROMPT, code=other)]
    assert shown_scores(page) == [f"{score:.2f}" for score in expected if score is not None]


def test_the_link_shows_the_same_in_a_fresh_browser(visit: Callable[..., Page]) -> None:
    page = visit()
    fill_and_score(page, code=CODE + "print('ü & + % # 🙂')\n", other=CODE, segment="statement")
    link = page.get_by_role("link", name="Link to this page").get_attribute("href")
    assert link is not None
    assert urlsplit(page.url).query == link.removeprefix("?")
    again = visit(f"/{link}")
    assert again.locator("main").inner_text() == page.locator("main").inner_text()
    for label in ("Task", "Program", "Another one, to compare (if you like)"):
        assert again.get_by_label(label, exact=True).input_value() == page.get_by_label(label, exact=True).input_value()
    assert again.get_by_label("A score for each").input_value() == "statement"


def test_the_link_can_be_copied(visit: Callable[..., Page], url: str) -> None:
    page = visit(EXAMPLE_PATH, permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == url + EXAMPLE_PATH


def test_without_javascript_all_of_it_works(visit: Callable[..., Page], url: str) -> None:
    page = visit(java_script_enabled=False)
    fill_and_score(page)
    expected = scores(url, prompt=PROMPT, code=CODE)
    assert shown_scores(page) == [f"{score:.2f}" for score in expected if score is not None]
    page.goto(url)
    page.get_by_role("link", name="an example").click()
    assert page.locator("article.program").count() == 2
    fill_and_score(page, prompt="word " * 2000, code="a = 1")
    assert "Program is too long" in page.get_by_role("alert").inner_text()
    page.get_by_label("Drop the task's beginning").check()
    page.get_by_role("button", name="Score").click()
    assert len(shown_scores(page)) == 1


@pytest.mark.parametrize("javascript", [True, False])
def test_hostile_text_runs_nothing_and_is_shown_as_it_is(javascript: bool, visit: Callable[..., Page]) -> None:
    page = visit(java_script_enabled=javascript)
    fill_and_score(page, prompt=HOSTILE, code=HOSTILE, other=HOSTILE[::-1])
    assert page.locator("script, svg, img, iframe, meta[http-equiv]").count() == 1
    assert page.get_by_label("Program", exact=True).input_value() == HOSTILE
    first = page.locator("table.lines code").first.inner_text()
    assert first == HOSTILE.split("\n")[0]
    assert "U+202E" in page.locator("table.lines").first.inner_text()
    if javascript:
        assert page.evaluate("window.ran") is None


def test_the_policy_stops_script_that_is_put_into_the_page(browser: Browser, url: str) -> None:
    visitor = Watched(browser.new_context())
    visitor.page.goto(url + EXAMPLE_PATH)
    visitor.page.evaluate(
        """() => { const script = document.createElement('script'); script.textContent = 'window.ran = 1';
        document.body.append(script); document.body.insertAdjacentHTML('beforeend', '<b onclick="window.ran = 2">');
        document.body.lastElementChild.click(); }"""
    )
    assert visitor.page.evaluate("window.ran") is None
    assert any("Content Security Policy" in said for said in visitor.said)
    visitor.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_it_without_scrolling_sideways(scheme: str, visit: Callable[..., Page]) -> None:
    link = PageForm(prompt="word" * 20, code="x = " + "y" * 200 + "\n", other=CODE).link
    for path in ("", EXAMPLE_PATH, f"/{link}"):
        page = visit(path, viewport={"width": 360, "height": 740}, color_scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_every_colour(scheme: str, visit: Callable[..., Page]) -> None:
    page = visit(EXAMPLE_PATH, color_scheme=scheme)
    for name in (f"{side} l{level}" for side in ("low", "high") for level in range(11)):
        ink, ground = page.evaluate(
            """name => { const row = document.querySelector('table.lines tbody tr'); row.className = name;
            const { color, backgroundColor } = getComputedStyle(row);
            return [color, backgroundColor]; }""",
            name,
        )
        assert contrast(ink, ground) >= 4.5, name


def contrast(one: str, other: str) -> float:
    """WCAG 2.2's contrast ratio."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    channels = [float(number) for number in re.findall(r"[\d.]+", colour.replace("srgb", ""))][:3]
    shares = [channel if "srgb" in colour else channel / 255 for channel in channels]
    red, green, blue = (s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_every_field_has_a_name_and_the_keyboard_does_it_all(visit: Callable[..., Page], url: str) -> None:
    page = visit()
    nameless = page.evaluate(
        "[...document.querySelectorAll('input, select, textarea')].filter(field => !field.labels.length).length"
    )
    assert nameless == 0
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    for _ in ("the example", "the task", "the program"):
        page.keyboard.press("Tab")
    page.keyboard.type("a = 1")
    page.keyboard.press("Control+Enter")
    page.wait_for_url(re.compile("code="))
    assert shown_scores(page) == [f"{score:.2f}" for score in scores(url, prompt="", code="a = 1") if score is not None]


def test_behind_keys_a_person_enters_one_that_stays_in_memory_alone(
    browser: Browser, start: Callable[..., str]
) -> None:
    url = start(LINEWISE_API_KEYS="first,sesame")
    visitor = Watched(browser.new_context())
    page = visitor.page
    link = PageForm(prompt=PROMPT, code=CODE).link
    assert page.goto(f"{url}/{link}").status == 401
    assert "def f(x)" not in page.content()

    page.get_by_label("Key").fill("wrong")
    page.get_by_role("button", name="Enter").click()
    expect(page.get_by_role("alert")).to_have_text("The service does not accept this key.")
    page.get_by_label("Key").fill("sesame")
    page.get_by_role("button", name="Enter").click()
    expect(page.locator("article.program")).to_have_count(1)

    page.get_by_label("Another one, to compare").fill("x = 1\n")
    page.get_by_role("button", name="Score").click()
    expect(page.locator("article.program")).to_have_count(2)
    assert "other=x" in page.url
    page.get_by_label("Program", exact=True).fill("x = 1\n" * 1000)
    page.get_by_role("button", name="Score").click()
    expect(page.get_by_role("alert")).to_contain_text("Program A is too long")

    assert page.evaluate("[document.cookie, localStorage.length, sessionStorage.length]") == ["", 0, 0]
    assert "sesame" not in page.url + page.content()
    page.reload()
    expect(page.get_by_label("Key")).to_be_visible()
    assert visitor.hosts == {urlsplit(url).netloc}
    assert not [said for said in visitor.said if "401" not in said and "413" not in said]
    visitor.context.close()
