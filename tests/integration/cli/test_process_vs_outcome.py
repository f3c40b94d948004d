"""`linewise experiment process-vs-outcome`, small: it runs unattended, keeps what is done, and holds to its plan."""

import json
import re
from collections.abc import Callable
from pathlib import Path

SMALL = {
    "--sft-problems": "lists:train?count=40&operations=1-1&slips=50",
    "--sft-iterations": "2",
    "--label-problems": "lists:train?count=40&operations=1-2",
    "--mutants-per-step": "1",
    "--line-samples": "2",
    "--line-problems": "lists:train?count=6&operations=1-1&loops=0",
    "--language-problems": "lists:train?count=40&operations=1-1",
    "--language-iterations": "4",
    "--prm-epochs": "1",
    "--chance-problems": "lists:train?count=8&operations=1-1",
    "--chance-samples": "1",
    "--problems": "lists:train?count=8&operations=1-1",
    "--iterations": "2",
    "--rollouts": "8",
    "--held-out": "lists:test?count=3&operations=1-1",
    "--validation": "lists:validation?count=2&operations=1-1",
    "--keep-every": "1",
    "--samples": "2",
    "--max-new-tokens": "12",
}


def test_arms_are_run_and_added_and_a_plan_is_kept(linewise: Callable, tmp_path: Path) -> None:
    settings = [
        "experiment",
        "process-vs-outcome",
        "--run-dir",
        "run",
        *(part for pair in SMALL.items() for part in pair),
    ]
    result = linewise(*settings, "--seeds", "1", "--arms", "outcome", timeout_s=300)
    assert result.returncode == 0, result.stderr
    runs = tmp_path / "run" / "runs"
    first = (runs / "outcome-0" / "evaluation" / "summary.json").stat().st_mtime_ns
    learnt = json.loads((tmp_path / "run" / "prm" / "config.json").read_text())["labels"]
    [lines] = (Path(file) for file in learnt if "lines-" in file)
    written = [json.loads(line) for line in (tmp_path / lines).read_text().splitlines()]
    assert {record["teacher"] for record in written} == {"lines:teacher"}

    arms = [part for arm in ("outcome", "process+outcome", "settled") for part in ("--arms", arm)]
    result = linewise(*settings, "--seeds", "1", *arms, timeout_s=300)
    assert result.returncode == 0, result.stderr
    assert (runs / "outcome-0" / "evaluation" / "summary.json").stat().st_mtime_ns == first
    figures = json.loads((tmp_path / "run" / "figures.json").read_text())
    assert [row["arm"] for row in figures["Where the arms end"]] == ["before", "outcome", "process+outcome", "settled"]
    assert {row["arm"] for row in figures["Against outcome"]} == {"process+outcome", "settled"}
    page = (tmp_path / "run" / "report.html").read_text()
    assert page.count("<svg") == 5
    assert "pass@10 on validation tasks" in page
    along = runs / "process+outcome-0" / "along"
    assert sorted(each.name for each in along.iterdir()) == ["iteration-1", "iteration-2"]
    assert "Programs before and after" in page and "Reliability on held-out steps" in page
    verdicts = {row["sign"]: row for row in figures["Failure signatures"]}
    assert verdicts["no rewards"] == {"sign": "no rewards", "outcome": "ok", "process+outcome": "ok", "settled": "ok"}
    assert not re.search(r'(src|href)="https?:', page)
    assert all(line["rewards/no_answer"] == 0 for line in _metrics(runs / "process+outcome-0" / "ppo"))

    refused = linewise(*settings, "--seeds", "1", "--iterations", "3")
    assert refused.returncode == 2
    assert "another plan" in refused.stderr


def test_without_a_policy_or_a_seed_there_is_nothing_to_run(linewise: Callable) -> None:
    for option in ("--policies", "--seeds"):
        refused = linewise("experiment", "process-vs-outcome", option, "0")
        assert refused.returncode == 2
        assert "at least one" in refused.stderr


def _metrics(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
