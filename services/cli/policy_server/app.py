"""The policy server as an app."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from fastapi import APIRouter, FastAPI
from prometheus_client import CollectorRegistry

from services.cli.policy_server.messages import (
    Choice,
    CompletionReply,
    CompletionRequest,
    Usage,
    cut,
    prompt_and_prefix,
)
from services.cli.policy_server.writer import Writer
from services.contracts import Readiness
from services.kit.app import build_app
from services.kit.settings import ServiceSettings
from trainer.policies import load_policy
from trainer.policies.completing import Beginning


def create_app(folder: Path, settings: ServiceSettings | None = None, *, batch: int = 128) -> FastAPI:
    """Serves the policy in `folder`, `batch` completions at a time.

    Raises:
        PolicyError: there is no policy in `folder`.
    """
    policy = load_policy(folder)
    writer = Writer(policy, batch=batch)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        writing = asyncio.create_task(writer.run())
        try:
            yield
        finally:
            writing.cancel()
            with suppress(asyncio.CancelledError):
                await writing

    async def readiness() -> Readiness:
        return Readiness(ready=True, details={"policy": folder.name})

    router = APIRouter(tags=["completions"])

    @router.post("/v1/completions")
    async def completions(request: CompletionRequest) -> CompletionReply:
        """Go on with a program, as OpenAI's route of that name does."""
        prompt, prefix = prompt_and_prefix(request.prompt)
        written = await writer.complete(
            Beginning(prompt, prefix, request.seed, request.max_tokens, request.temperature, request.top_p)
        )
        text, stopped = cut(written.text, request.stop)
        return CompletionReply(
            model=folder.name,
            choices=[Choice(text=text, finish_reason="stop" if stopped or written.finished else "length")],
            usage=Usage(completion_tokens=written.tokens, total_tokens=written.tokens),
        )

    return build_app(
        name="policy",
        summary="Completions of a policy, for the labeler's rollout teacher.",
        settings=settings or ServiceSettings(),
        routers=[router],
        registry=CollectorRegistry(),
        readiness=readiness,
        lifespan=lifespan,
    )
