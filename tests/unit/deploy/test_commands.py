"""What images, compose and pods run is what the command line takes."""

from typing import Any

import pytest
from typer.testing import CliRunner

from services.cli.app import app


@pytest.mark.parametrize("name", ["scorer", "executor", "labeler", "trainer"])
def test_image_runs_a_command_with_options_that_exist(name: str, dockerfiles: dict[str, Any]) -> None:
    _assert_accepted(dockerfiles[name].command)


def test_compose_runs_a_worker_with_options_that_exist(compose: dict[str, Any]) -> None:
    _assert_accepted(compose["services"]["worker"]["command"])


def test_pod_runs_a_worker_with_options_that_exist(deployments: dict[str, Any]) -> None:
    _assert_accepted(deployments["worker"]["containers"][0]["args"])


def _assert_accepted(command: list[str]) -> None:
    program, *arguments = command
    assert program == "linewise"
    assert _exit_code(arguments) == 0
    assert _exit_code([*arguments, "--no-such-option"]) == 2


def _exit_code(arguments: list[str]) -> int:
    """Of the command with `--help` behind it: options are parsed, nothing is run."""
    return CliRunner().invoke(app, [*arguments, "--help"]).exit_code
