"""The client of the scorer."""

from collections.abc import Sequence
from urllib.parse import quote

from services.client.http import ServiceClient
from services.contracts import ModelInfo, ModelsReply, ScoreBatchReply, ScoreBatchRequest, ScoreReply, ScoreRequest


class ScorerClient(ServiceClient):
    """Asks a process reward model for a probability at every step of a program."""

    service = "scorer"

    async def score(self, request: ScoreRequest) -> ScoreReply:
        """`POST /score`."""
        return await self._call(ScoreReply, "POST", "/score", request)

    async def score_batch(self, items: Sequence[ScoreRequest]) -> list[ScoreReply]:
        """`POST /score/batch`: the replies in the order of `items`."""
        reply = await self._call(ScoreBatchReply, "POST", "/score/batch", ScoreBatchRequest(items=list(items)))
        return reply.results

    async def models(self) -> list[ModelInfo]:
        """`GET /models`."""
        return (await self._call(ModelsReply, "GET", "/models")).models

    async def reload(self, name: str) -> ModelInfo:
        """`POST /models/{name}/reload`: read the checkpoint folder again."""
        return await self._call(ModelInfo, "POST", f"/models/{quote(name, safe='')}/reload")
