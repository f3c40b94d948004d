"""The scorer in others' words: OpenRLHF's `/get_reward`, vLLM's `/classify` (which verl calls) and `/pooling`.

Field names are theirs, and so is the leniency: fields that mean nothing here are passed over. What would change the
answer and can't be done is refused by the scorer with 400. What these bodies have no field for is said in the query
(`?aggregate=min`), where an unknown name is 422. Sources: `openrlhf/utils/agent.py` of OpenRLHF 0.11.2,
`verl/experimental/reward_loop/reward_loop.py` of verl 0.9.1, https://docs.vllm.ai/en/latest/models/pooling_models/
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.contracts.base import Reply, Request
from services.contracts.scoring import AggregateForm
from services.contracts.steps import Segment


class _Foreign(BaseModel):
    """A body that another project's client sends."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class RewardOptions(Request):
    """The query of `POST /get_reward`."""

    aggregate: AggregateForm | None = Field(None, description="Of a program's scores; null is the server's setting.")
    segment: Segment = Segment.LINE
    model: str | None = Field(None, description="A name of `GET /models`; null is the default model.")
    truncate: Literal["prompt"] | None = Field(None, description="As in `POST /score`.")


class PoolingOptions(Request):
    """The query of `POST /classify` and `POST /pooling`."""

    aggregate: AggregateForm | None = Field(None, description="Of a program's scores; null is the server's setting.")
    segment: Segment = Segment.LINE
    truncate: Literal["prompt"] | None = Field(None, description="As in `POST /score`.")
    prompt_lines: int | None = Field(
        None, ge=0, description="How many lines of `input` are the prompt; the others are the program, line by line."
    )


class RewardRequest(_Foreign):
    """What OpenRLHF's `remote_rm_url` is sent; `query` are prompt and completion in one, `labels` are not read."""

    query: list[str] = Field(examples=[["Add one.\ndef f(x):\n    return x + 1\n</s>"]])
    prompts: list[str] | None = Field(None, examples=[["Add one.\n"]])
    labels: list[Any] | None = Field(None, examples=[[None]])


class RewardReply(Reply):
    """Exactly one number a query, in order, in [0, 1]; `scores` are `rewards`.

    `extra_logs`: `prm_<form>` for every aggregate, `code_steps` (how many were scored), `truncated` (0 or 1).
    """

    rewards: list[float]
    scores: list[float]
    extra_logs: dict[str, list[float]]


class PoolingRequest(_Foreign):
    """vLLM's: `input`, one text or several, or the `messages` of one chat whose last is the assistant's.

    `use_activation` is not read: an answer is always probabilities.
    """

    model: str | None = None
    input: str | list[str] | list[int] | list[list[int]] | None = Field(None, examples=["Add one.\nx += 1\n"])
    messages: list[dict[str, Any]] | None = None
    task: str | None = Field(None, examples=["token_classify"], description="Of `/pooling` only.")
    use_activation: bool | None = None
    encoding_format: str = "float"
    dimensions: int | None = None
    truncate_prompt_tokens: int | None = None
    chat_template: str | None = None

    @model_validator(mode="after")
    def _one_form(self) -> "PoolingRequest":
        if (self.input is None) == (self.messages is None):
            raise ValueError("give input or messages")
        return self


class Usage(Reply):
    """Tokens of the model's inputs."""

    prompt_tokens: int = 0
    total_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: None = None


class Classified(Reply):
    """A program as one: `probs` are `[1 - p, p]`, p the aggregate; `label` is the likelier one's."""

    index: int
    label: str = Field(examples=["LABEL_1"])
    probs: list[float]
    num_classes: int = 2


class ClassifyReply(Reply):
    """`POST /classify`."""

    id: str
    object: Literal["list"] = "list"
    created: int = Field(description="Seconds since 1970.")
    model: str
    data: list[Classified]
    usage: Usage


class PooledStep(Reply):
    """The step behind a row: `input[start:end]`, or that part of the last message's text."""

    start: int
    end: int
    score: float


class Pooled(Reply):
    """A program: a row `[1 - p, p]` for every code step, in order; for the task `classify` one row that is no list.

    `steps` says which step each row of the former is of (vLLM has no such field).
    """

    index: int
    object: Literal["pooling"] = "pooling"
    data: list[list[float]] | list[float]
    steps: list[PooledStep] = Field(default_factory=list)


class PoolingReply(Reply):
    """`POST /pooling`."""

    id: str
    object: Literal["list"] = "list"
    created: int = Field(description="Seconds since 1970.")
    model: str
    data: list[Pooled]
    usage: Usage
