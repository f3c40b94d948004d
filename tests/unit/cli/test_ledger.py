"""The demo's memory of finished phases."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from services.cli.demo.ledger import Ledger


@dataclass(frozen=True)
class Plan:
    seed: int = 0
    folder: Path = Path("runs")


@dataclass(frozen=True)
class Summary:
    checkpoint: Path
    accuracy: float


@pytest.fixture
def ledger(tmp_path):
    return lambda plan=Plan(): Ledger(tmp_path / "phases", plan, announce=lambda _: None)


def never():
    raise AssertionError("done a second time")


def test_a_finished_phase_is_kept_over_a_restart(ledger):
    first = ledger().once("prm", lambda: Summary(Path("prm"), 0.75))
    again = ledger().once("prm", never)
    assert again == first
    assert again.result == {"checkpoint": "prm", "accuracy": 0.75}


def test_a_phase_that_failed_is_done_again(ledger):
    with pytest.raises(AssertionError):
        ledger().once("prm", never)
    assert not ledger().finished("prm")
    assert ledger().once("prm", lambda: {"accuracy": 1}).result == {"accuracy": 1}


def test_another_plan_starts_anew(ledger):
    ledger().once("prm", lambda: {"accuracy": 1})
    assert not ledger(Plan(seed=1)).finished("prm")


def test_seconds_are_listed_in_the_order_of_the_phases(ledger):
    book = ledger()
    for name in ("label", "prm", "evaluate"):
        book.once(name, dict)
    assert list(book.seconds()) == ["label", "prm", "evaluate"]
