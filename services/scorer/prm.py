"""What the scorer asks of a process reward model; `services.scorer.model` has the one that runs on torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from services.contracts import Calibration, ModelInfo
from services.contracts.prm_layout import PrmInput
from services.scorer.shared_prompts import PromptUse


class Prm(Protocol):
    """A loaded checkpoint; its methods may be called from any thread, at any time."""

    @property
    def architecture(self) -> str:
        """The class that Transformers built, e.g. `RobertaForTokenClassification`."""

    @property
    def parameters(self) -> int:
        """How many weights it has."""

    @property
    def max_tokens(self) -> int:
        """The longest input it takes."""

    @property
    def pass_tokens(self) -> int:
        """The most tokens of a pass, padding included; an input that is longer has one of its own."""

    @property
    def causal(self) -> bool:
        """Whether one pass scores all steps; if not, each step costs a pass over its prefix."""

    @property
    def prefix_ids(self) -> Sequence[int]:
        """The tokens that open every input."""

    @property
    def temperature(self) -> float:
        """What divides its logits."""

    @property
    def rounding(self) -> float:
        """How far its scores may be from those of the same weights in float32, for its number format's sake."""

    @property
    def calibration(self) -> Calibration | None:
        """How good its scores were when they were measured, where its folder says so."""

    @property
    def shares_prompts(self) -> bool:
        """Whether inputs that are all of one prompt cost that prompt once."""

    def prompt_use(self, inputs: Sequence[PrmInput]) -> PromptUse:
        """What a pass over these would read of their prompt now."""

    def tokenize(self, texts: Sequence[str]) -> Sequence[Sequence[int]]:
        """Texts to ids, with no special tokens added."""

    def score(self, inputs: Sequence[PrmInput]) -> list[list[float]]:
        """For each input its scores, one for each of its positions, in [0, 1]."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class ServedModel:
    """A model under its name; a reload puts a new one in its place, requests in flight keep theirs."""

    name: str
    prm: Prm
    loaded_at: datetime
    golden: Literal["ok"] | None = None

    def info(self, *, default: bool) -> ModelInfo:
        """What `GET /models` tells of it."""
        return ModelInfo(
            name=self.name,
            architecture=self.prm.architecture,
            parameters=self.prm.parameters,
            max_tokens=self.prm.max_tokens,
            causal=self.prm.causal,
            default=default,
            loaded_at=self.loaded_at.isoformat(timespec="seconds"),
            temperature=self.prm.temperature,
            calibration=self.prm.calibration,
            golden=self.golden,
        )
