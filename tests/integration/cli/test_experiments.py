"""`linewise experiment ...`: labels through services of its own, trains, reports, and goes on where it was."""

import json


def test_step_boundaries_label_train_and_report_and_a_second_call_needs_no_service(linewise, tmp_path):
    options = ("--problems", "lists:train?count=40", "--backbone", "tiny", "--epochs", "1", "--seeds", "1")
    command = ("experiment", "step-boundaries", *options, "--augmented-tests", "0", "--run-dir", "run")
    first = linewise(*command, timeout_s=300)
    assert first.returncode == 0, first.stderr
    rows = json.loads((tmp_path / "run" / "figures.json").read_text())["Kinds of steps"]
    assert [row["a step is a"] for row in rows] == ["line", "statement", "block"]
    assert all(0 <= row["ROC-AUC of whole programs"]["mean"] <= 1 for row in rows)
    assert {file.name for file in (tmp_path / "run").glob("report.*")} == {"report.md", "report.html"}

    again = linewise(*command, timeout_s=300)
    assert again.returncode == 0, again.stderr
    assert again.stdout == first.stdout
    assert "starting" in first.stderr and "starting" not in again.stderr
