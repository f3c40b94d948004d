"""The scorer's settings, read from `LINEWISE_SCORER_*`; the defaults run on a laptop's CPU."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from services.contracts import AggregateForm
from services.kit.settings import ServiceSettings
from services.scorer.dialects.reading import ANSWER_MARKERS, STOP_TEXTS

Device = Literal["auto", "cpu", "cuda"]
DType = Literal["float32", "int8", "bfloat16", "float16"]

NonEmpty = Annotated[str, Field(min_length=1)]

_NAMED = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)=(?P<folder>.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A checkpoint folder and the name it is served under."""

    name: str
    folder: Path

    @classmethod
    def parse(cls, text: str) -> "ModelSource":
        """Read `NAME=DIR`, or `DIR` alone, whose last part is then the name."""
        if named := _NAMED.fullmatch(text):
            return cls(named["name"], Path(named["folder"]))
        folder = Path(text)
        return cls(folder.resolve().name, folder)


class ScorerSettings(ServiceSettings):
    """What to serve, on what, and how to batch it."""

    model_config = SettingsConfigDict(env_prefix="LINEWISE_SCORER_")

    models: Annotated[tuple[ModelSource, ...], NoDecode] = ()
    """`NAME=DIR` or `DIR`, separated by commas; the first is the default model."""

    await_models: bool = False
    """Start, not ready, where a checkpoint is not there yet; `POST /models/{name}/reload` loads it once it is."""

    device: Device = "auto"
    """`auto` takes a GPU where torch sees one."""

    dtype: DType = "float32"
    """`int8` is for CPUs and about twice as fast as `float32`; half precision is for GPUs and for CPUs that have units
    for it, others refuse it."""

    compile: bool = False
    """Run the model through `torch.compile`: starts and reloads take a minute longer and need a C++ compiler; not with
    `int8`, which it can't see into."""

    allow_prefix_passes: bool = False
    """Serve models that aren't causal too, by a pass for each step over its prefix: about ten times slower."""

    torch_threads: int | None = Field(None, ge=1)
    """CPU threads, which passes share; None: as many as torch would take, and no more than the container's share."""

    max_batch_tokens: int | None = Field(None, ge=16)
    """Tokens of one pass, padding included; None: by device and model, 256 or 512 on a CPU, 16,384 on a GPU."""

    max_input_tokens: int = Field(8192, ge=16)
    """The longest input taken, where the model would take a longer one; alone in a pass it may exceed the above."""

    max_wait_ms: float = Field(0.0, ge=0)
    """How long a lone request waits for company though the model is free, in milliseconds; what comes while it is busy
    has company anyway."""

    cache_entries: int = Field(100_000, ge=0)
    """Steps whose scores are remembered, of each model, about 200 bytes a step; 0 remembers none."""

    max_queue: int = Field(1024, ge=1)
    """Programs taken in and not yet answered; one more is answered with 429."""

    aggregate: AggregateForm = AggregateForm.MEAN
    """The one number that `/get_reward`, `/classify` and `/pooling` make of a program, where a request names none."""

    answer_markers: tuple[NonEmpty, ...] = ANSWER_MARKERS
    """What stands before the answer in a rendered chat, as a JSON list: `/classify` and `/pooling` split there."""

    stop_texts: tuple[NonEmpty, ...] = STOP_TEXTS
    """Ends of a sequence as text, as a JSON list: dropped behind an answer."""

    @model_validator(mode="after")
    def _refuse_compiled_int8(self) -> Self:
        if self.compile and self.dtype == "int8":
            raise ValueError("LINEWISE_SCORER_COMPILE and LINEWISE_SCORER_DTYPE=int8 don't go together; leave one out")
        return self

    @field_validator("models", mode="before")
    @classmethod
    def _parse_models(cls, value: object) -> object:
        parts = value.split(",") if isinstance(value, str) else value
        if not isinstance(parts, list | tuple):
            return parts
        return tuple(ModelSource.parse(part.strip()) if isinstance(part, str) else part for part in parts if part)

    @field_validator("models")
    @classmethod
    def _refuse_twins(cls, sources: tuple[ModelSource, ...]) -> tuple[ModelSource, ...]:
        names = [source.name for source in sources]
        if twins := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two models are named {twins[0]}; name them apart with NAME=DIR")
        return sources
