"""What images, compose and pods run is what the command line takes."""

from typing import Any

import pytest
from typer.testing import CliRunner

from services.cli.app import app


@pytest.mark.parametrize("name", ["scorer", "executor", "labeler", "trainer"])
def test_image_runs_a_command_with_options_that_exist(name: str, dockerfiles: dict[str, Any]) -> None:
    _assert_accepted(dockerfiles[name].command)


@pytest.mark.parametrize("name", ["worker", "migrate"])
def test_compose_runs_commands_with_options_that_exist(name: str, compose: dict[str, Any]) -> None:
    _assert_accepted(compose["services"][name]["command"])


@pytest.mark.parametrize("name", ["worker", "migrate"])
def test_pod_runs_a_command_with_options_that_exist(name: str, pods: dict[str, Any]) -> None:
    _assert_accepted(pods[name]["containers"][0]["args"])


def test_trainers_pod_gives_its_image_options_that_exist(pods: dict[str, Any]) -> None:
    _assert_accepted(["linewise", *pods["trainer"]["containers"][0]["args"]])


def _assert_accepted(command: list[str]) -> None:
    program, *arguments = command
    assert program == "linewise"
    assert _exit_code(arguments) == 0
    assert _exit_code([*arguments, "--no-such-option"]) == 2


def _exit_code(arguments: list[str]) -> int:
    """Of the command with `--help` behind it: options are parsed, nothing is run."""
    return CliRunner().invoke(app, [*arguments, "--help"]).exit_code
