"""OpenAI's completions as far as a rollout teacher speaks them, and where the labeler's prompt begins its program.

https://platform.openai.com/docs/api-reference/completions. Leaves out: streaming, `n`, `logprobs`, `echo`.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

_QUOTES = '"""'


class CompletionRequest(BaseModel):
    """The body of `POST /v1/completions`; fields that change nothing here are let through."""

    model_config = ConfigDict(extra="ignore")

    prompt: str
    model: str = ""
    max_tokens: int = Field(256, ge=1, le=4096)
    temperature: float = Field(1.0, ge=0, le=2)
    top_p: float = Field(1.0, gt=0, le=1)
    seed: int = Field(0, ge=0, lt=2**63)
    stop: list[str] = Field(default_factory=list, max_length=16)
    stream: Literal[False] = False


class Choice(BaseModel):
    """What the policy wrote; `length`: `max_tokens` ended it."""

    index: int = 0
    text: str
    finish_reason: Literal["stop", "length"]


class Usage(BaseModel):
    """Tokens of the answer."""

    prompt_tokens: int = 0
    completion_tokens: int
    total_tokens: int


class CompletionReply(BaseModel):
    """The answer of `POST /v1/completions`."""

    object: Literal["text_completion"] = "text_completion"
    model: str
    choices: list[Choice]
    usage: Usage


def prompt_and_prefix(text: str) -> tuple[str, str]:
    """The problem and the program begun for it.

    A policy was trained on bare descriptions; the labeler's template puts them into a docstring with the program
    behind it. Any other text is all problem, and nothing has begun.
    """
    opened, closed = f"{_QUOTES}\n", f"\n{_QUOTES}\n"
    if not text.startswith(opened) or closed not in text:
        return text, ""
    problem, _, prefix = text.removeprefix(opened).partition(closed)
    return problem.strip(), prefix


def cut(text: str, stops: list[str]) -> tuple[str, bool]:
    """`text` up to the first of `stops`, and whether there was one."""
    places = [place for stop in stops if stop and (place := text.find(stop)) >= 0]
    return (text[: min(places)], True) if places else (text, False)
