"""`linewise experiment ...`: labels through services of its own, trains, reports, and goes on where it was."""

import json


def test_labels_are_made_a_prm_is_trained_and_a_second_call_needs_no_service(linewise, tmp_path):
    options = ("--problems", "lists:train?count=40", "--backbone", "tiny", "--epochs", "1", "--seeds", "1")
    command = ("experiment", "prm-accuracy", *options, "--augmented-tests", "0", "--run-dir", "run")
    first = linewise(*command, timeout_s=600)
    assert first.returncode == 0, first.stderr
    figures = json.loads((tmp_path / "run" / "figures.json").read_text())["Figures"]
    rows = {row["held-out steps"]: row["seed 0"] for row in figures}
    assert 0 < rows["always the commoner label"] < 1 and 0 < rows["accuracy"] < 1
    assert {file.name for file in (tmp_path / "run").glob("report.*")} == {"report.md", "report.html"}

    again = linewise(*command, timeout_s=600)
    assert again.returncode == 0, again.stderr
    assert again.stdout == first.stdout
    assert "starting" in first.stderr and "starting" not in again.stderr
