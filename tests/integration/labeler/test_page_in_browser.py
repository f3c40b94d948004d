"""The labeler's page in a real browser: a real job followed live, and its labels judged by eye.

Wants Debian's Chromium (`apt-get install chromium`); Playwright's own download is never used. Its synchronous calls
hold the thread's event loop while they run, so no test here may be asynchronous.
"""

import json
import shutil
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import expect, sync_playwright
from pydantic import SecretStr

from services.contracts import JobRequest, KilledBy, Origin, Outcome, Problem, StepLabel, Verdict
from services.labeler.app import create_app
from services.labeler.recipe import LabelledProblem, LabelledProgram
from services.labeler.storage import Database, JobRepository, WorkRepository

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
HOSTILE = (
    "</code></table><script>window.ran = 1</script><img src=x onerror='window.ran = 2'>"
    "\"><svg onload=window.ran=3></svg><a href='javascript:window.ran=4'>\u202e\u2066 \x1b"
)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH: apt-get install chromium")


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser):
    """Open a page in a fresh context; at the test's end none has complained or asked another host."""
    opened = []

    def open_one(url, **options):
        context = browser.new_context(**options)
        page, said, hosts, visited = context.new_page(), [], set(), set()
        opened.append((context, urlsplit(url).netloc, said, hosts))

        def hear(message):
            of_its_own = message.location["url"] in visited and "Failed to load" in message.text
            if message.type in ("error", "warning") and not of_its_own:
                said.append(message.text)

        def see(request):
            hosts.add(urlsplit(request.url).netloc)
            if request.is_navigation_request():
                visited.add(request.url)

        page.on("console", hear)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", see)
        page.goto(url)
        return page

    yield open_one
    for context, host, said, hosts in opened:
        assert said == []
        assert hosts <= {host, ""}
        context.close()


@pytest.fixture
def labeler(settings, serve):
    return lambda **changes: serve(create_app(settings.model_copy(update=changes)))


@pytest.fixture
def store(settings):
    """Store a finished job of `programs` mutants, killed and surviving ones in turn, all texts `text`."""

    def stored(text="x", programs=30):
        database = Database(settings.database_url)
        database.open()
        jobs, work = JobRepository(database), WorkRepository(database)
        problem = Problem(id=f"p {text}", prompt=f"Do {text}", solution="x", tests=[])
        job_id = jobs.create(JobRequest(name=f"job {text}", problems=[problem]), "")
        work.start(job_id)
        work.finish(job_id, 0, LabelledProblem([_program(number, text) for number in range(programs + 1)], []))
        work.finish_job(job_id)
        database.close()
        return job_id

    return stored


def _program(number, text):
    code = f"a = 1\nb = {number}  # {text}\nc = 3\n"
    if number == 0:
        steps = [StepLabel(start=0, end=5, label=1)]
        return LabelledProgram(Origin.REFERENCE, None, None, code, None, Verdict.ACCEPTED, None, steps)
    killed = number % 2 == 0
    steps = [StepLabel(start=0, end=5, label=1), StepLabel(start=6, end=20, label=0)] if killed else None
    outcome, verdict = (Outcome.KILLED, Verdict.WRONG_ANSWER) if killed else (Outcome.SURVIVED, Verdict.ACCEPTED)
    by = KilledBy.AUGMENTED if killed else None
    return LabelledProgram(Origin.MUTATION, f"op{number % 3} {text}", 1, code, outcome, verdict, by, steps)


def figures(page):
    names, values = page.locator(".figures dt").all_inner_texts(), page.locator(".figures dd").all_inner_texts()
    return {name: int(value.replace(",", "").split()[0]) for name, value in zip(names, values, strict=True)}


@pytest.mark.slow
def test_a_real_job_is_followed_live_to_its_end_and_its_labels_are_those_of_the_api(
    labeler, settings, start_worker, problems, visit, tmp_path
):
    url = labeler()
    body = JobRequest(name="real", problems=problems, augmented_tests=8).model_dump(mode="json")
    job_id = httpx.post(f"{url}/jobs", json=body, trust_env=False).json()["id"]
    listed, page = visit(url), visit(f"{url}/?job={job_id}")
    for one in (listed, page):
        expect(one.locator(".status")).to_have_text("queued")
        one.evaluate("window.neverReloaded = true")
    start_worker(settings)
    for one in (listed, page):
        expect(one.locator(".status")).to_have_text("succeeded", timeout=60_000)
        assert one.evaluate("window.neverReloaded")
    job = httpx.get(f"{url}/jobs/{job_id}", trust_env=False).json()
    for one in (listed, page):
        shown = figures(one)
        assert (shown["killed"], shown["survived"]) == (job["mutants"]["killed"], job["mutants"]["survived"])
        assert (shown["positive steps"], shown["negative steps"]) == (
            job["labels"]["positive"],
            job["labels"]["negative"],
        )
    expect(page.locator("table.plot").first).to_be_visible()

    page.get_by_label("Label", exact=True).select_option("negative")
    page.get_by_label("Origin").select_option("mutation")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**label=negative**")
    records = [
        json.loads(line)
        for line in httpx.get(f"{url}/jobs/{job_id}/labels", trust_env=False).text.splitlines()
        if json.loads(line)["origin"] == "mutation"
    ]
    assert f"{len(records)} programs" in page.locator("main").inner_text()
    for card, record in zip(page.locator("article.change").all(), records, strict=False):
        assert record["operator"] in card.inner_text()
        assert record["verdict"].replace("_", " ") in card.inner_text()
        rows = card.locator("tr.same, tr.new")
        texts = [text.rstrip("\n") for text in rows.locator("code").all_inner_texts()]
        labels = [mark.replace("no label", "") for mark in rows.locator("td.mark").all_text_contents()]
        steps = record["steps"]
        assert texts == [record["code"][step["start"] : step["end"]].rstrip() for step in steps]
        assert labels == ["" if step["label"] is None else str(step["label"]) for step in steps]

    with page.expect_download() as started:
        page.get_by_role("link", name="TRL").click()
    started.value.save_as(tmp_path / "labels-trl.jsonl")
    assert len((tmp_path / "labels-trl.jsonl").read_text().splitlines()) > len(records)


@pytest.mark.parametrize("javascript", [True, False])
def test_all_of_it_can_be_browsed_without_javascript_too(javascript, labeler, store, visit):
    url, job_id = labeler(), store()
    page = visit(url, java_script_enabled=javascript)
    page.get_by_role("link", name="job x").click()
    assert page.locator("article.change").count() == 12
    page.get_by_role("link", name="More programs").click()
    page.get_by_role("link", name="More programs").click()
    assert page.locator("article.change").count() == 6
    page.get_by_role("link", name="op1 x").click()
    assert page.locator("article.change").count() == 10
    page.get_by_label("Outcome").select_option("killed")
    page.get_by_role("button", name="Show").click()
    assert page.locator("article.change").count() == 5
    assert page.get_by_label("Operator", exact=True).input_value() == "op1 x"
    page.get_by_role("link", name="All jobs").click()
    assert page.locator("article.job").count() == 1
    assert job_id in page.locator("article.job").get_attribute("id")


@pytest.mark.parametrize("javascript", [True, False])
def test_hostile_text_runs_nothing_and_is_shown_as_it_is(javascript, labeler, store, visit):
    url, job_id = labeler(), store(HOSTILE)
    for path in ("", f"/?job={job_id}"):
        page = visit(url + path, java_script_enabled=javascript)
        assert page.locator("script, img, iframe, meta[http-equiv], [onload], [onerror]").count() == 1
        assert HOSTILE.split("\u202e")[0] in page.locator("main").inner_text()
        assert "U+202E" in page.locator("main").inner_text()
        if javascript:
            page.wait_for_timeout(100)
            assert page.evaluate("window.ran") is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_it_without_scrolling_sideways(scheme, labeler, store, visit):
    url, job_id = labeler(), store("y" * 200, programs=4)
    for path in ("", f"/?job={job_id}"):
        page = visit(url + path, viewport={"width": 360, "height": 740}, color_scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_the_colours_of_labels(scheme, labeler, store, visit):
    page = visit(f"{labeler()}/?job={store()}&label=negative", color_scheme=scheme)
    for kind in ("positive", "negative"):
        row = page.locator(f".diff tr.{kind}").first
        ink, ground = row.evaluate("row => [getComputedStyle(row).color, getComputedStyle(row).backgroundColor]")
        assert contrast(ink, ground) >= 4.5, kind
        assert ground != "rgba(0, 0, 0, 0)"


def contrast(one, other):
    """WCAG 2.2's contrast ratio."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour):
    numbers = [float(part) for part in colour.split("(")[1].rstrip(")").replace(",", " ").split() if part[0].isdigit()]
    shares = [number if "srgb" in colour else number / 255 for number in numbers[:3]]
    red, green, blue = (s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_every_field_has_a_name(labeler, store, visit):
    page = visit(f"{labeler()}/?job={store()}")
    nameless = (
        "[...document.querySelectorAll('select, input:not([type=hidden])')].filter(one => !one.labels.length).length"
    )
    assert page.evaluate(nameless) == 0


def test_behind_keys_a_person_enters_one_and_then_all_of_it_works(labeler, store, problems, visit, tmp_path):
    url, job_id = labeler(api_keys=(SecretStr("sesame"),)), store()
    body = JobRequest(name="waiting", problems=problems).model_dump(mode="json")
    sent = httpx.post(f"{url}/jobs", json=body, headers={"Authorization": "Bearer sesame"}, trust_env=False).json()
    page = visit(url)
    assert "job x" not in page.content()
    page.get_by_label("Key").fill("sesame")
    page.get_by_role("button", name="Enter").click()
    expect(page.locator("article.job")).to_have_count(2)

    page.get_by_role("link", name="waiting").click()
    expect(page.locator("#live-state .status")).to_have_text("queued")
    httpx.delete(f"{url}/jobs/{sent['id']}", headers={"Authorization": "Bearer sesame"}, trust_env=False)
    expect(page.locator("#live-state .status")).to_have_text("cancelled")

    page.get_by_role("link", name="All jobs").click()
    page.get_by_role("link", name="job x").click()
    expect(page.locator("article.change")).to_have_count(12)
    page.get_by_label("Label", exact=True).select_option("unknown")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("main")).to_contain_text("15 programs")
    assert f"job={job_id}" in page.url
    with page.expect_download() as started:
        page.get_by_role("link", name="data card").click()
    started.value.save_as(tmp_path / "card.md")
    assert "# Labels of job x" in (tmp_path / "card.md").read_text()
    assert page.evaluate("[document.cookie, localStorage.length, sessionStorage.length]") == ["", 0, 0]
    assert "sesame" not in page.url + page.content()
