"""Who changes the programs of a labelling job: the `teacher` of `POST /jobs`."""

from typing import Annotated, Literal

from pydantic import Field

from services.contracts.base import Request


class RulesTeacher(Request):
    """Mutations and refactorings by rules on the syntax tree: needs no model."""

    kind: Literal["rules"] = "rules"


class Budget(Request):
    """What a job may spend at a model; null is no bound. A question that is no longer paid for is left unasked."""

    max_requests: int | None = Field(None, ge=0)
    max_tokens: int | None = Field(
        None, ge=0, description="Prompt and completion together; the requests under way when it is reached still end."
    )
    requests_per_minute: int | None = Field(None, ge=1, description="Of this model, by all workers together.")
    prompt_price: float = Field(0.0, ge=0, description="Of a million tokens, in any currency.")
    completion_price: float = Field(0.0, ge=0, description="Of a million tokens, in the same currency.")


class ModelTeacher(Request):
    """A model behind an OpenAI-compatible server; the key is read by the worker from the variable `api_key_env`."""

    base_url: str = Field(examples=["http://127.0.0.1:8000/v1"])
    model: str = Field(min_length=1)
    api_key_env: str | None = Field(None, min_length=1)
    temperature: float = Field(0.8, ge=0, le=2)
    max_tokens: int = Field(2048, ge=1, description="Of one reply.")
    concurrency: int = Field(8, ge=1, le=256, description="Requests of one worker at a time.")
    budget: Budget = Budget()


class OpenAITeacher(ModelTeacher):
    """Asks any OpenAI-compatible chat endpoint for mutations and refactorings of one step at a time."""

    kind: Literal["openai"] = "openai"


class RolloutTeacher(ModelTeacher):
    """Has a policy complete the program from behind each step; the share that passes is the step's soft label.

    The policy is a completions endpoint. https://arxiv.org/abs/2312.08935
    """

    kind: Literal["rollout"] = "rollout"
    max_tokens: int = Field(512, ge=1, description="Of one completion.")
    completions: int = Field(8, ge=1, le=256, description="From behind each step.")
    samples: int = Field(2, ge=0, le=256, description="Programs of the policy's own, a problem, beside the reference.")
    threshold: float = Field(
        0.0, ge=0, lt=1, description="A sampled program's step is positive where more than this share pass."
    )


class LinesTeacher(ModelTeacher):
    """Has a policy write each line of the reference anew; what follows stays, and the tests tell right from wrong.

    The policy is a completions endpoint. So a reward model learns the mistakes that this policy makes.
    """

    kind: Literal["lines"] = "lines"
    temperature: float = Field(1.0, ge=0, le=2)
    max_tokens: int = Field(64, ge=1, description="Of one line.")
    samples: int = Field(4, ge=1, le=256, description="Of each line; the same text counts once.")


SingleTeacher = Annotated[RulesTeacher | OpenAITeacher | RolloutTeacher | LinesTeacher, Field(discriminator="kind")]


class TeacherShare(Request):
    """A teacher of a mix, and its weight among the others."""

    teacher: SingleTeacher
    share: float = Field(gt=0)


class MixTeacher(Request):
    """Several teachers; each step of each problem is given to one of them, drawn by their shares and the seed."""

    kind: Literal["mix"] = "mix"
    teachers: list[TeacherShare] = Field(min_length=2)


Teacher = Annotated[
    RulesTeacher | OpenAITeacher | RolloutTeacher | LinesTeacher | MixTeacher, Field(discriminator="kind")
]
