"""The scorer's routes: HTTP in, contract models out, nothing else."""

from fastapi import APIRouter

from services.contracts import (
    ModelInfo,
    ModelsReply,
    ScoreBatchReply,
    ScoreBatchRequest,
    ScoreReply,
    ScoreRequest,
)
from services.kit.hangup import CancelledRoute
from services.scorer.models import Models
from services.scorer.service import ScoringService

REFUSED_EARLY = ("/score", "/score/batch", "/get_reward", "/classify", "/pooling")
"""Where a full queue is told before a request is read; a person's page says it in its own words."""


def scoring_router(service: ScoringService) -> APIRouter:
    """`POST /score` and `POST /score/batch`."""
    router = APIRouter(tags=["score"], route_class=CancelledRoute)

    @router.post("/score")
    async def score(request: ScoreRequest) -> ScoreReply:
        """Score every step of one program.

        A step's score depends on the prompt and on the code up to the step's end, and on nothing behind it; a
        comment's and a blank's is null. `aggregate` names the form that `scalar` takes for those who want one number;
        steps and forms are there all the same. 404: no such model. 413 `too_long`: more tokens than the model takes,
        unless `"truncate": "prompt"` lets the prompt's beginning go. 429: the queue is full. 503: no model is loaded.
        """
        return (await service.score([request]))[0]

    @router.post("/score/batch")
    async def score_batch(request: ScoreBatchRequest) -> ScoreBatchReply:
        """Score many programs, in order, as `POST /score` would each; one that can't be scored refuses the batch.

        `details.item` of a 413 `too_long` is the index of the program that is too long.
        """
        return ScoreBatchReply(results=await service.score(request.items))

    return router


def models_router(models: Models) -> APIRouter:
    """`GET /models` and `POST /models/{name}/reload`."""
    router = APIRouter(tags=["models"])

    @router.get("/models")
    async def list_models() -> ModelsReply:
        """What is served, and how good its scores were when they were measured, where its folder says so.

        The default model answers requests that name none.
        """
        return ModelsReply(models=models.infos())

    @router.post("/models/{name}/reload")
    async def reload_model(name: str) -> ModelInfo:
        """Load the checkpoint folder again, without dropping a request.

        The old model serves until the new one is loaded, is proved causal and gives the folder's golden scores, if it
        has any. 409 `bad_checkpoint`: it can't be served, with the reason, and the old one goes on.
        """
        return await models.reload(name)

    return router
