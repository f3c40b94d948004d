"""`POST /score`, `POST /score/batch` and `GET /models`: a probability for every step of a program."""

from enum import StrEnum
from typing import Literal

from pydantic import Field

from services.contracts.base import Reply, Request
from services.contracts.prm_checkpoint import Calibration
from services.contracts.steps import Segment, StepKind


class AggregateForm(StrEnum):
    """The forms in which a program's scores become one number; the fields of `Aggregate`."""

    MEAN = "mean"
    MIN = "min"
    PRODUCT = "product"
    LAST = "last"
    SOFTMIN = "softmin"


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
    aggregate: AggregateForm | None = Field(
        None, description="The form that the reply's `scalar` takes; every form is in its `aggregate` all the same."
    )
    softmin_temperature: float = Field(
        0.1, gt=0, allow_inf_nan=False, description="Of the form `softmin`; towards 0 it becomes `min`, high `mean`."
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
    softmin: float | None = Field(
        None,
        description="The sum of w_i r_i with w = softmax(-r / temperature), https://arxiv.org/abs/2504.15275.",
    )


class ScoreReply(Reply):
    """Every step's score, in order, from one pass of the model."""

    model: str
    steps: list[ScoredStep]
    aggregate: Aggregate
    scalar: float | None = Field(None, description="The form of `aggregate` that the request named; null without one.")
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
    causal: bool = Field(True, description="False: each step is scored by a pass of its own over its prefix.")
    default: bool = False
    loaded_at: str = Field(description="ISO 8601, UTC.")
    temperature: float = Field(1.0, gt=0, description="What the logits are divided by.")
    calibration: Calibration | None = Field(None, description="Null where the checkpoint folder doesn't say.")
    golden: Literal["ok"] | None = Field(
        None, description="`ok`: it gives its folder's golden scores; null: the folder has none that it can take."
    )


class ModelsReply(Reply):
    """`GET /models`."""

    models: list[ModelInfo]
