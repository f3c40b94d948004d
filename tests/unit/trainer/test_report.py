"""The report: whatever a folder holds is shown, text is escaped, and nothing is fetched."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from services.contracts import Verdict
from trainer.plots import curves, grouped_bars
from trainer.report import write_report
from trainer.report_page import duration, shown
from trainer.report_programs import program, steps_of
from trainer.samples import Sample

VOID = {"meta", "br", "img", "input", "link", "path", "use", "rect"}
FIGURES = {
    "n": 10,
    "accuracy": 0.8,
    "majority": 0.6,
    "balanced_accuracy": 0.75,
    "roc_auc": None,
    "ece": 0.05,
    "count": 10,
}
CLASS = {"precision": 0.8, "recall": 0.8, "f1": 0.8, "count": 5}
BINS = [{"low": at / 10, "high": (at + 1) / 10, "count": at, "mean_score": 0.5, "positive": 0.5} for at in range(10)]
HELD_OUT = {"all": {**FIGURES, "negative": CLASS, "positive": CLASS, "reliability": BINS}}


class Balanced(HTMLParser):
    """Fails on a tag that is closed out of turn."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "xlink:href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def read(folder: Path) -> str:
    """The report of a folder, which must be well-formed and fetch nothing."""
    path = write_report(folder)
    assert path == folder / "report.html"
    text = path.read_text(encoding="utf-8")
    parser = Balanced()
    parser.feed(text)
    assert parser.open == []
    assert all(link.startswith("#") for link in parser.links)
    assert "<script" not in text and not re.search(r"url\((?!#)", text) and "@import" not in text
    return text


def write(folder: Path, name: str, data: object) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(json.dumps(data))


def test_an_empty_folder_has_a_report(tmp_path: Path) -> None:
    assert "Settings" in read(tmp_path)


def test_every_logged_metric_has_a_curve(tmp_path: Path) -> None:
    lines = [{"iteration": at, "objective/kl": at / 10, "odd/metric": None if at == 2 else 1.0} for at in range(1, 50)]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    write(tmp_path, "summary.json", {"kl": 0.3, "seconds": 75.0})
    text = read(tmp_path)
    assert text.count("<figure>") == 2
    assert "KL to the reference" in text and "odd/metric" in text
    assert "A policy trained by PPO, 1 min 15 s" in text
    assert "<td class=ok>ok</td><td>4.5 nats a program at the end; without a target more than 5 is much</td>" in text


def test_a_prm_has_its_reliability_and_its_table(tmp_path: Path) -> None:
    write(tmp_path, "summary.json", {"temperature": 1.2, "seconds": 9.0})
    write(tmp_path, "held_out.json", {**HELD_OUT, "operator:swap": HELD_OUT["all"]})
    text = read(tmp_path)
    assert "Reliability on held-out steps" in text and "operator:swap" in text


def test_classifiers_on_a_frozen_backbone_are_shown_by_layer_and_penalty(tmp_path: Path) -> None:
    figures = {"prm/validation_loss": 0.5, "prm/validation_accuracy": 0.75}
    lines = [{"prm/layers": layers, "prm/penalty": penalty, **figures} for layers in (2, 4) for penalty in (0.01, 0.1)]
    text = "".join(json.dumps({"iteration": at, **line}) + "\n" for at, line in enumerate(lines, start=1))
    (tmp_path / "metrics.jsonl").write_text(text)
    page = read(tmp_path)
    assert page.count("<figure>") == 2
    assert "layers kept" in page and "C = 0.01" in page and "C = 0.1" in page


def test_a_prm_says_how_well_it_finds_the_first_wrong_step(tmp_path: Path) -> None:
    found = {
        "threshold": 0.33,
        "wrong": 1430,
        "right": 462,
        "accuracy_wrong": 0.25,
        "accuracy_right": 0.75,
        "f1": 0.375,
    }
    write(tmp_path, "first_error.json", {"at_half": None, "at_validation_threshold": found})
    text = read(tmp_path)
    assert "ProcessBench" in text and "validation threshold" in text and "at half" not in text
    assert all(f">{figure}</td>" in text for figure in ("0.330", "0.250", "1,430", "0.750", "462", "0.375"))

    write(tmp_path, "first_error.json", {"at_half": None})
    assert "nothing can be said" in read(tmp_path)


def test_an_evaluation_shows_programs_by_line_and_escapes_them(tmp_path: Path) -> None:
    code = "def f(xs):\n    return xs < '<script>'\n"
    sample = Sample(
        task_id="Mbpp/601", kind="greedy", completion=code, verdict=Verdict.WRONG_ANSWER, scores=[(10, 0.9), (37, 0.1)]
    )
    write(tmp_path, "config.json", {"problems": "mbpp:601"})
    write(tmp_path, "summary.json", {"pass_at_k": {"1": 0.0}})
    (tmp_path / "samples.jsonl").write_text(sample.model_dump_json() + "\n")
    text = read(tmp_path)
    assert "&lt;script&gt;" in text
    assert "<b>0.90</b>def f(xs):" in text and "<b>0.10</b>" in text and "wrong answer" in text


def evaluation(share: float) -> dict[str, Any]:
    return {
        "unanswered": 0,
        "greedy_pass_at_1": share,
        "pass_at_k": {"1": share, "10": 0.9},
        "standard_error": {"1": 0.02},
        "verdicts": {"accepted": 5},
    }


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """A finished demo's folder."""
    labels = {
        "problems": {"total": 3, "rejected": 1},
        "mutants": {"killed": 8, "survived": 1, "incompetent": 0},
        "labels": {"positive": 20, "negative": 8, "unknown": 1},
        "rejected": [{"id": "Mbpp/123", "reason": "<too slow>"}],
    }
    step = {"text": "def f(xs):", "score": 0.25}
    shown_program = {"code": "def f(xs):\n", "verdict": "accepted", "steps": [step]}
    write(
        tmp_path,
        "summary.json",
        {
            "environment": {"cores": 2},
            "labels": {"mbpp": labels},
            "prm": {"accuracy": 0.8, "majority": 0.6, "roc_auc": 0.9, "f1_positive": 0.8, "f1_negative": 0.7},
            "sft": {"train_loss": 0.2},
            "ppo": {"kl": 0.3},
            "evaluation": {
                "before": evaluation(0.31),
                "after": evaluation(0.29),
                "pass_at_1": {
                    "tasks": 150,
                    "before": 0.31,
                    "after": 0.29,
                    "difference": -0.02,
                    "standard_error": 0.01,
                    "verdict": "PPO did not improve the policy",
                },
            },
            "samples": [{"prompt": "Return <the> sum.", "before": shown_program, "after": shown_program}],
            "seconds": {"prm": 90.0, "total": 600.0},
        },
    )
    return tmp_path


def test_a_demo_is_told_from_its_summary_even_where_it_lost(demo: Path) -> None:
    write(demo / "prm-run", "held_out.json", HELD_OUT)
    (demo / "ppo").mkdir()
    (demo / "ppo" / "metrics.jsonl").write_text('{"iteration": 1, "objective/scores": 0.5}\n')
    text = read(demo)
    assert "PPO did not improve the policy: pass@1 0.310 before and 0.290 after" in text
    assert "0.310 → 0.290" in text
    assert "Reward of a rollout" in text and "Reliability" in text
    assert "&lt;too slow&gt;" in text and "Return &lt;the&gt; sum." in text
    assert "10 min 00 s" in text


def test_a_line_without_a_score_has_no_number() -> None:
    sample = Sample(task_id="x", kind="greedy", completion="a = 1\n# why\n", scores=[(5, 0.5)])
    html = program("x", steps_of(sample, sample.completion), None)
    assert "<b>0.50</b>a = 1" in html and "<b></b># why" in html and "no verdict" in html


def test_a_plot_says_what_it_is_to_those_who_cannot_see_it() -> None:
    figure = curves("Loss & more", {"loss": [(1, 2.0), (2, 1.0)]})
    assert 'role="img" aria-label="Loss &amp; more"' in figure
    bars = grouped_bars("pass@k", {"pass@1": {"before": (0.3, 0.1)}}, "share")
    assert "0.300" in bars


def test_the_same_figures_give_the_same_plot() -> None:
    points = {"loss": [(float(at), 1 / at) for at in range(1, 90)]}
    assert curves("Loss", points) == curves("Loss", points)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (1234567, "1,234,567"),
        (0.5, "0.500"),
        (0.00012, "0.00012"),
        (float("nan"), "nan"),
        (True, "True"),
        ({"1": 0.5}, "1: 0.500"),
        ([], "–"),
    ],
)
def test_values_for_people(value: object, text: str) -> None:
    assert shown(value) == text


def test_durations_for_people() -> None:
    assert (duration(None), duration(9.26), duration(119.7)) == ("–", "9.3 s", "2 min 00 s")
