"""The dialects' routes: HTTP in, contract models out, nothing else."""

from typing import Annotated

from fastapi import APIRouter, Query

from services.contracts import (
    AggregateForm,
    ClassifyReply,
    PoolingOptions,
    PoolingReply,
    PoolingRequest,
    RewardOptions,
    RewardReply,
    RewardRequest,
)
from services.kit.hangup import CancelledRoute
from services.scorer.dialects import pooling, rewards
from services.scorer.dialects.reading import Reader
from services.scorer.service import ScoringService


def dialects_router(service: ScoringService, reader: Reader, default_form: AggregateForm) -> APIRouter:
    """`POST /get_reward`, `POST /classify` and `POST /pooling`, batched with one another and with `POST /score`."""
    router = APIRouter(tags=["dialects"], route_class=CancelledRoute)

    @router.post("/get_reward")
    async def get_reward(request: RewardRequest, options: Annotated[RewardOptions, Query()]) -> RewardReply:
        """OpenRLHF's `remote_rm_url`: one number in [0, 1] a query.

        The prompt is taken off the query, ends of a sequence are dropped, a fenced block is preferred to the prose
        around it. A program without a line of code has 0. 400 `prompts_needed`, `prompt_not_found`: asking again
        changes nothing. 404: no such model. 413 `too_long`. 429, 503 with `Retry-After`: ask again, there is no
        reward yet.
        """
        requests = rewards.score_requests(request, options, reader)
        return rewards.reward_reply(await service.score(requests), options.aggregate or default_form)

    @router.post("/classify")
    async def classify(request: PoolingRequest, options: Annotated[PoolingOptions, Query()]) -> ClassifyReply:
        """vLLM's, as verl's discriminative reward model reads it: `data[-1].probs[-1]` is the aggregate.

        400 `prompt_not_marked`, `prompt_ambiguous`, `no_answer`, `not_text`, `foreign_steps`, `token_ids`,
        `unsupported_*`: what can't be told or done, with the reason. The rest as `POST /get_reward`.
        """
        found = pooling.find_programs(request, options, reader)
        replies = await service.score(pooling.score_requests(found, request.model, options))
        return pooling.classify_reply(request.model, replies, options.aggregate or default_form)

    @router.post("/pooling")
    async def pool(request: PoolingRequest, options: Annotated[PoolingOptions, Query()]) -> PoolingReply:
        """vLLM's, for users of PRMs: a row `[1 - p, p]` for every code step, in order (`task` token_classify or none).

        With the task `classify` one row a program, as `POST /classify`; other tasks are 400 `unsupported_task`.
        """
        pooling.refuse_other_tasks(request.task)
        found = pooling.find_programs(request, options, reader)
        replies = await service.score(pooling.score_requests(found, request.model, options))
        return pooling.pooling_reply(request.model, request.task, found, replies, options.aggregate or default_form)

    return router
