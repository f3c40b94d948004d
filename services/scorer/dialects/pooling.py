"""`POST /classify` and `POST /pooling` in plain functions: vLLM's bodies to score requests, and replies to its rows."""

import time
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any
from uuid import uuid4

from services.contracts import (
    AggregateForm,
    Classified,
    ClassifyReply,
    Pooled,
    PooledStep,
    PoolingOptions,
    PoolingReply,
    PoolingRequest,
    ScoreReply,
    ScoreRequest,
    Usage,
)
from services.kit.errors import BadRequestError
from services.scorer.dialects.reading import Found, Reader
from services.scorer.dialects.rewards import one_number

_STEP_TASKS = (None, "token_classify")


def find_programs(request: PoolingRequest, options: PoolingOptions, reader: Reader) -> list[Found]:
    """The programs of a request, in order.

    Raises:
        BadRequestError: it asks for what can't be done, or a prompt can't be told from its program.
    """
    _refuse_what_cannot_be(request)
    if request.messages is not None:
        return [reader.messages(request.messages)]
    texts = [request.input] if isinstance(request.input, str) else request.input or []
    return [_find(text, options, reader) for text in texts]


def score_requests(found: Sequence[Found], model: str | None, options: PoolingOptions) -> list[ScoreRequest]:
    """A request for each program; a path names the model by its last part, as `serve scorer --model DIR` does."""
    name = PurePosixPath(model).name if model else None
    return [
        ScoreRequest(prompt=item.prompt, code=item.code, segment=options.segment, model=name, truncate=options.truncate)
        for item in found
    ]


def classify_reply(model: str | None, replies: Sequence[ScoreReply], form: AggregateForm) -> ClassifyReply:
    """`[1 - p, p]` of each program."""
    values = [one_number(reply, form) for reply in replies]
    data = [
        Classified(index=index, label=f"LABEL_{int(value >= 0.5)}", probs=_row(value))
        for index, value in enumerate(values)
    ]
    return ClassifyReply(id=f"classify-{uuid4().hex}", data=data, **_envelope(model, replies))


def pooling_reply(
    model: str | None, task: str | None, found: Sequence[Found], replies: Sequence[ScoreReply], form: AggregateForm
) -> PoolingReply:
    """A row a code step, or for the task `classify` one a program.

    Raises:
        BadRequestError: another task.
    """
    pairs = enumerate(zip(found, replies, strict=True))
    if task == "classify":
        data = [Pooled(index=index, data=_row(one_number(reply, form))) for index, (_, reply) in pairs]
    else:
        data = [_pooled(index, item.start, reply) for index, (item, reply) in pairs]
    return PoolingReply(id=f"pooling-{uuid4().hex}", data=data, **_envelope(model, replies))


def refuse_other_tasks(task: str | None) -> None:
    """Raise `BadRequestError` for a task of vLLM's that a PRM can't do."""
    if task not in (*_STEP_TASKS, "classify"):
        raise BadRequestError("unsupported_task", f"a PRM does token_classify (a row a step) and classify, not {task}")


def _refuse_what_cannot_be(request: PoolingRequest) -> None:
    if request.encoding_format != "float":
        raise BadRequestError("unsupported_encoding", "rows are JSON numbers: leave `encoding_format` at float")
    for name in ("dimensions", "truncate_prompt_tokens", "chat_template"):
        if getattr(request, name) is not None:
            hint = "; ?truncate=prompt drops a long prompt's beginning" if name == "truncate_prompt_tokens" else ""
            raise BadRequestError("unsupported_field", f"`{name}` can't be served{hint}")


def _find(text: str | int | list[int], options: PoolingOptions, reader: Reader) -> Found:
    if not isinstance(text, str):
        raise BadRequestError("token_ids", "give texts, not token ids: steps are cut from the program's text")
    return reader.chat_text(text) if options.prompt_lines is None else reader.lines(text, options.prompt_lines)


def _pooled(index: int, start: int, reply: ScoreReply) -> Pooled:
    steps = [
        PooledStep(start=start + step.start, end=start + step.end, score=step.score)
        for step in reply.steps
        if step.score is not None
    ]
    return Pooled(index=index, data=[_row(step.score) for step in steps], steps=steps)


def _row(probability: float) -> list[float]:
    return [1 - probability, probability]


def _envelope(model: str | None, replies: Sequence[ScoreReply]) -> dict[str, Any]:
    tokens = sum(reply.tokens for reply in replies)
    served = replies[0].model if replies else model or ""
    return {
        "created": int(time.time()),
        "model": model or served,
        "usage": Usage(prompt_tokens=tokens, total_tokens=tokens),
    }
