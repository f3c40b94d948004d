"""A PRM small enough to compute by hand."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry

from services.contracts import Calibration
from services.contracts.prm_layout import PrmInput
from services.scorer.metrics import ScorerMetrics
from services.scorer.prm import ServedModel
from services.scorer.shared_prompts import PromptUse


@dataclass
class CountingPrm:
    """A token is a character; the score at a position is the share of the letter `x` up to it."""

    architecture: str = "Counting"
    temperature: float = 1.0
    rounding: float = 1e-4
    shares_prompts: bool = False
    calibration: Calibration | None = None
    parameters: int = 0
    max_tokens: int = 1000
    pass_tokens: int = 1000
    causal: bool = True
    prefix_ids: tuple[int, ...] = ()
    passes: list[list[int]] = field(default_factory=list)
    inputs: list[list[PrmInput]] = field(default_factory=list)
    entered: threading.Event = field(default_factory=threading.Event)
    gate: threading.Event = field(default_factory=threading.Event)
    error: Exception | None = None

    def prompt_use(self, inputs: Sequence[PrmInput]) -> PromptUse:
        return PromptUse()

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        return [[ord(character) for character in text] for text in texts]

    def score(self, inputs: Sequence[PrmInput]) -> list[list[float]]:
        self.entered.set()
        assert self.gate.wait(10)
        self.passes.append([len(item.ids) for item in inputs])
        self.inputs.append(list(inputs))
        if self.error:
            raise self.error
        return [[item.ids[: at + 1].count(ord("x")) / (at + 1) for at in item.positions] for item in inputs]


@pytest.fixture
def prm() -> CountingPrm:
    """Its `gate` is open."""
    prm = CountingPrm()
    prm.gate.set()
    return prm


@pytest.fixture
def served() -> Callable[..., ServedModel]:
    """A PRM under a name."""
    return lambda prm, name="prm": ServedModel(name, prm, datetime.now(UTC))


@pytest.fixture
def another_prm() -> Callable[[], CountingPrm]:
    """A further one, its gate shut."""
    return CountingPrm


@pytest.fixture
def metrics() -> ScorerMetrics:
    return ScorerMetrics(CollectorRegistry())
