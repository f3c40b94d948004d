"""`linewise status`: one table, and an exit code for scripts."""

import json
import subprocess
import sys
from importlib.metadata import version
from typing import Any


def status(environment: dict[str, str], *options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-P", "-m", "services.cli", "status", *options]
    return subprocess.run(command, env=environment | {"COLUMNS": "200"}, capture_output=True, text=True, timeout=120)


def test_services_that_are_ready_are_told_with_version_tier_and_queues(house: Any) -> None:
    result = status(house.environment, "--json")
    assert result.returncode == 0, result.stderr
    scorer, executor, labeler = json.loads(result.stdout)
    assert {service["version"] for service in (scorer, executor, labeler)} == {version("linewise")}
    assert {service["state"] for service in (scorer, executor, labeler)} == {"ready"}
    assert scorer["tier"] == "cpu: prm"
    assert "seccomp" in executor["tier"]
    assert [service["waiting"] for service in (scorer, executor, labeler)] == [0, 0, 0]
    assert [service["running"] for service in (scorer, executor, labeler)] == [None, 0, 0]


def test_one_that_is_down_is_exit_code_1_and_the_others_are_still_told(house: Any, free_port: int) -> None:
    result = status(house.environment | {"LINEWISE_EXECUTOR_URL": f"http://127.0.0.1:{free_port}"})
    assert result.returncode == 1
    assert result.stderr == "linewise: not ready: executor.\n"
    rows = {line.split("│")[1].strip(): line for line in result.stdout.splitlines() if line.startswith("│")}
    assert "ready" in rows["labeler"]
    assert "down" in rows["executor"]
    assert "no answer from the executor" in rows["executor"]
