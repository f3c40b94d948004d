"""A report in a real browser: it opens from a file with no network, asks for nothing else and fits a phone.

Wants Debian's Chromium (`apt-get install chromium`); Playwright's own download is never used.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from services.contracts import Verdict, split_steps
from trainer.report import write_report
from trainer.samples import Sample

CHROMIUM = shutil.which("chromium")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
HOSTILE = "def f(xs):\n    return '</pre><script>document.title = \"ran\"</script>' + " + "xs" * 100 + "\n"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH: apt-get install chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """A report with figures, curves, signs and a program whose two lines have scores at either end."""
    scores = [(step.end, score) for step, score in zip(split_steps(HOSTILE), (1.0, 0.0), strict=True)]
    sample = Sample(task_id="Mbpp/1", kind="greedy", completion=HOSTILE, verdict=Verdict.WRONG_ANSWER, scores=scores)
    (tmp_path / "samples.jsonl").write_text(sample.model_dump_json() + "\n")
    metrics = [{"iteration": at, "objective/kl": at / 2, "rewards/accepted": 0.5 - at / 60} for at in range(1, 21)]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in metrics))
    (tmp_path / "config.json").write_text(json.dumps({"problems": "mbpp:1", "kl_target": 2.0, "rollouts": 8}))
    (tmp_path / "summary.json").write_text(json.dumps({"kl": 10.0, "seconds": 9.0, "note": "Read <b>this</b>."}))
    return write_report(tmp_path)


@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)])
def test_it_opens_offline_fits_the_screen_and_colours_lines_by_score(
    browser: Browser, report: Path, width: int, height: int
) -> None:
    context = browser.new_context(viewport={"width": width, "height": height}, offline=True)
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(report.as_uri())

    assert said == [] and asked == [report.as_uri()]
    assert page.title() == f"Run {report.parent.name}"
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.locator("td.failing").all_inner_texts() == ["failing", "failing"]
    lines = page.locator(".program pre span")
    colours = lines.evaluate_all("lines => lines.map(line => getComputedStyle(line).backgroundColor)")
    assert colours == ["rgb(170, 210, 236)", "rgb(247, 196, 163)"]
    assert lines.nth(1).inner_text().startswith("0.00")
    shown = page.locator("section:has(figure) svg").first.bounding_box()
    assert shown is not None and 200 < shown["width"] <= width
    context.close()
