"""`POST /score`, `POST /score/batch` and `GET /models`: a probability for every step of a program."""

from typing import Literal

from pydantic import Field

from services.contracts.base import Reply, Request
from services.contracts.steps import Segment, StepKind


class ScoreRequest(Request):
    """A problem's description and a program for it."""

    prompt: str = Field(examples=["Write a function to add one."])
    code: str = Field(examples=["def f(x):\n    y = x + 1\n    return y\n"])
    segment: Segment = Segment.LINE
    model: str | None = Field(None, description="A name of `GET /models`; null is the default model.")
    truncate: Literal["prompt"] | None = Field(
        None,
        description="`prompt`: drop the prompt's beginning where the input is too long; null: answer 413.",
    )


class ScoredStep(Reply):
    """A step and its score: `code[start:end]` is its text, the score depends on nothing behind it."""

    index: int = Field(ge=0)
    start: int = Field(ge=0, description="In Unicode code points.")
    end: int = Field(ge=0)
    first_line: int = Field(ge=1)
    last_line: int = Field(ge=1)
    kind: StepKind
    score: float | None = Field(ge=0, le=1, description="Null for a comment or a blank.")


class Aggregate(Reply):
    """The scores of the `code` steps as one number; null where a program has no such step."""

    mean: float | None = None
    min: float | None = None
    product: float | None = None
    last: float | None = None


class ScoreReply(Reply):
    """Every step's score, in order, from one pass of the model."""

    model: str
    steps: list[ScoredStep]
    aggregate: Aggregate
    truncated: bool = Field(False, description="True where the prompt's beginning was dropped.")
    tokens: int = Field(ge=0, description="Length of the model's input.")


class ScoreBatchRequest(Request):
    """Many programs at once."""

    items: list[ScoreRequest]


class ScoreBatchReply(Reply):
    """The replies, in the order of the items."""

    results: list[ScoreReply]


class ModelInfo(Reply):
    """A checkpoint that the scorer serves."""

    name: str
    architecture: str = Field(examples=["RobertaForTokenClassification"])
    parameters: int = Field(ge=0)
    max_tokens: int = Field(ge=1)
    default: bool = False
    loaded_at: str = Field(description="ISO 8601, UTC.")


class ModelsReply(Reply):
    """`GET /models`."""

    models: list[ModelInfo]
