"""The whole method in one command, interrupted once: `linewise demo --tiny` over real HTTP between real processes."""

import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

DEMO = (sys.executable, "-P", "-m", "services.cli", "demo", "--tiny", "--run-dir", "demo")


@pytest.fixture
def environment() -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("LINEWISE_")}
    return {**own, "COLUMNS": "200", "OMP_NUM_THREADS": "1"}


def interrupt_at(phase: str, folder: Path, environment: dict[str, str]) -> int:
    """Run the demo until it says that it begins `phase`, press Ctrl-C, and return its exit code."""
    with subprocess.Popen(DEMO, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert any(line.strip() == f"linewise: {phase} ..." for line in process.stderr), "that phase never began"
        process.send_signal(signal.SIGINT)
        process.stderr.read()
        return process.wait(timeout=60)


def left_behind(folder: Path) -> list[str]:
    """Command lines of the processes that name `folder` or its services, or work in it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if str(folder) in command or (process / "cwd").resolve() == folder:
                found.append(command)
        except OSError:
            continue
    return found


def figures(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        for item in value.values():
            yield from figures(item)
    elif isinstance(value, list):
        for item in value:
            yield from figures(item)
    elif isinstance(value, int | float):
        yield value


@pytest.mark.slow
def test_a_demo_that_was_stopped_goes_on_and_tells_everything(tmp_path, environment):
    assert interrupt_at("label-lists", tmp_path, environment) == 130
    assert left_behind(tmp_path) == []

    done = subprocess.run(DEMO, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "label-mbpp: done before, kept." in done.stderr
    assert left_behind(tmp_path) == []

    summary = json.loads((tmp_path / "demo" / "summary.json").read_text())
    assert all(math.isfinite(figure) for figure in figures(summary))
    for labels in summary["labels"].values():
        assert labels["labels"]["positive"] > 0
        assert labels["labels"]["negative"] > 0
        assert labels["mutants"]["killed"] > 0
    assert summary["labels"]["mbpp"]["problems"]["total"] == 15
    assert 0 <= summary["prm"]["accuracy"] <= 1
    assert summary["prm"]["held_out_problems"] > 0
    assert summary["serve"]["architecture"].endswith("ForTokenClassification")
    assert summary["ppo"]["rollouts"] > 0
    assert summary["ppo"]["dropped"] == 0
    for when in ("before", "after"):
        assert set(summary["evaluation"][when]["pass_at_k"]) == {"1", "10"}
    assert "PPO" in summary["evaluation"]["pass_at_1"]["verdict"]
    assert all(sample[when]["verdict"] for sample in summary["samples"] for when in ("before", "after"))
    assert set(summary["seconds"]) >= {"label-mbpp", "prm", "sft", "ppo", "total"}
    assert summary["environment"]["cores"] >= 1
    assert summary["plan"]["seed"] == 0

    assert (tmp_path / "demo" / "prm" / "model.safetensors").is_file()
    assert summary["evaluation"]["pass_at_1"]["verdict"] in done.stdout
    report = (tmp_path / "demo" / "report.html").read_text()
    assert "<html" in report
    assert 'src="http' not in report
