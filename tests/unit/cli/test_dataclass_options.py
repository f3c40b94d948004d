"""Options derived from a dataclass: types, defaults, help, and what wins over what."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal

import pytest
import typer
from typer.testing import CliRunner

from services.cli.dataclass_options import command_from
from services.cli.errors import UsageError


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Paint:
    """A config with a field of every kind."""

    name: str
    """Whose paint it is."""

    layers: int = 2
    """How many layers."""

    opacity: float = 0.5
    """From 0 to 1,
    the second line belongs to it."""

    glossy: bool = False
    """Whether it shines."""

    colour: Colour = Colour.RED
    """The colour."""

    finish: Literal["matt", "satin"] = "matt"
    """The surface."""

    store: Path = Path("store")
    """Where it is kept."""

    seed: int | None = None
    """None: not mixed at random."""

    tints: tuple[float, ...] = (0.1, 0.2)
    """Tints to add."""


@pytest.fixture
def paint():
    """Run the derived command and return the config it built."""
    built = []
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command()(command_from(Paint, built.append))

    def run(*arguments: str) -> Paint:
        result = CliRunner().invoke(app, list(arguments), catch_exceptions=False, env={"COLUMNS": "200"})
        assert result.exit_code == 0, result.output
        return built[-1] if built else result.output

    return run


def test_what_is_not_given_keeps_the_dataclass_default(paint):
    assert paint("--name", "Ann") == Paint("Ann")


def test_every_kind_of_field_is_read(paint, tmp_path):
    given = (
        *("--name", "Ann", "--layers", "3", "--opacity", "1e-3", "--glossy", "--colour", "blue", "--finish", "satin"),
        *("--store", str(tmp_path), "--seed", "7", "--tints", "0.5", "--tints", "0.75"),
    )
    assert paint(*given) == Paint("Ann", 3, 0.001, True, Colour.BLUE, "satin", tmp_path, 7, (0.5, 0.75))


def test_help_shows_the_docstring_and_the_real_default(paint):
    text = " ".join(paint("--help").split())
    assert "How many layers. (default: 2)" in text
    assert "From 0 to 1, the second line belongs to it." in text
    assert "--glossy" in text
    assert "--no-glossy" in text
    assert "Whose paint it is. (required)" in text


@pytest.mark.parametrize(
    "text", ["opacity: 1e-4\nglossy: true\ncolour: blue\n", '{"opacity": 1e-4, "glossy": true, "colour": "blue"}']
)
def test_a_config_file_gives_what_the_command_line_does_not(paint, tmp_path, text):
    file = tmp_path / "paint.yaml"
    file.write_text(text)
    expected = Paint("Ann", opacity=1e-4, glossy=False, colour=Colour.BLUE)
    assert paint("--name", "Ann", "--no-glossy", "--config", str(file)) == expected


def test_a_config_file_may_say_none(paint, tmp_path):
    file = tmp_path / "paint.yaml"
    file.write_text("name: Ann\nseed: null\n")
    assert paint("--config", str(file)).seed is None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("name: Ann\nlayer: 3\n", "no such option: layer; there are name, layers"),
        ("name: Ann\nlayers: many\n", "--layers: Input should be a valid integer"),
        ("layers: 3\n", "missing: --name"),
        ("[1, 2]", "must hold names with values"),
        ("name: [", "line 1: neither YAML nor JSON"),
    ],
)
def test_a_wrong_config_file_says_what_is_wrong(paint, tmp_path, text, complaint):
    file = tmp_path / "paint.yaml"
    file.write_text(text)
    with pytest.raises(UsageError, match=complaint):
        paint("--config", str(file))


def test_a_missing_config_file_is_named(paint, tmp_path):
    with pytest.raises(UsageError, match=r"nowhere\.yaml cannot be read: No such file"):
        paint("--config", str(tmp_path / "nowhere.yaml"))
