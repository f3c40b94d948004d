"""Scores programs: admit, encode, score what isn't known, reply. It knows neither HTTP nor torch."""

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from services.contracts import ScoreReply, ScoreRequest
from services.contracts.prm_layout import InputTooLongError
from services.kit.errors import BadRequestError, TooLargeError
from services.scorer.admission import Admission
from services.scorer.batcher import Batcher
from services.scorer.encoding import Encoded, encode
from services.scorer.metrics import ScorerMetrics
from services.scorer.models import Models
from services.scorer.prm import ServedModel
from services.scorer.replies import compose_reply
from services.scorer.reuse import PrefixReuse, Program

_ENCODERS = 2
_FEW_CHARACTERS = 2000
"""A program of some twenty lines, cut and tokenized in a fraction of a millisecond."""


class ScoringService:
    """From requests to replies, from `start` to `close`; what is long is tokenized on threads of its own."""

    def __init__(
        self, models: Models, batcher: Batcher, reuse: PrefixReuse, admission: Admission, metrics: ScorerMetrics
    ) -> None:
        self._models = models
        self._batcher = batcher
        self._reuse = reuse
        self._admission = admission
        self._metrics = metrics
        self._encoders = ThreadPoolExecutor(_ENCODERS, thread_name_prefix="scorer-encode")

    def start(self) -> None:
        """Begin to score."""
        self._batcher.start()

    def close(self) -> None:
        """End with the last request."""
        self._encoders.shutdown()
        self._batcher.close()

    async def score(self, requests: Sequence[ScoreRequest]) -> list[ScoreReply]:
        """A reply for each request, in order; nothing is scored if one of them can't be.

        Raises:
            UnavailableError, NotFoundError: no model at all, or none of that name.
            BadRequestError: a text is not Unicode.
            TooLargeError: an input is too long for its model, or there are too many.
            OverloadedError: the queue is full.
        """
        models = [self._models.get(request.model) for request in requests]
        with self._admission.take(len(requests)):
            encoded = await self._encoded(requests, models)
            scores = await self._score_all(models, encoded)
        replies = zip(models, requests, encoded, scores, strict=True)
        return [compose_reply(model.name, request, item, row) for model, request, item, row in replies]

    async def _encoded(self, requests: Sequence[ScoreRequest], models: Sequence[ServedModel]) -> list[Encoded]:
        """Off the event loop, unless that costs more than the work."""
        if sum(len(request.prompt) + len(request.code) for request in requests) <= _FEW_CHARACTERS:
            return self._encode_all(requests, models)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._encoders, self._encode_all, requests, models)

    def _encode_all(self, requests: Sequence[ScoreRequest], models: Sequence[ServedModel]) -> list[Encoded]:
        return [self._encode(index, *pair) for index, pair in enumerate(zip(requests, models, strict=True))]

    def _encode(self, index: int, request: ScoreRequest, model: ServedModel) -> Encoded:
        started = time.perf_counter()
        try:
            (request.prompt + request.code).encode()
            encoded = encode(request, model.prm)
        except UnicodeEncodeError as error:
            raise BadRequestError(
                "not_unicode",
                "the prompt or the code has a lone surrogate, which is no character",
                details={"item": index},
            ) from error
        except InputTooLongError as error:
            raise TooLargeError(
                "too_long",
                f'{error}; shorten it, or ask for "truncate": "prompt" where the prompt is what is long',
                details={"tokens": error.tokens, "max_tokens": error.max_tokens, "item": index},
            ) from error
        self._metrics.observe_stage(model.name, "encode", time.perf_counter() - started)
        return encoded

    async def _score_all(self, models: Sequence[ServedModel], encoded: Sequence[Encoded]) -> list[list[float]]:
        """The scores of all, of their `code` steps; a program without any needs no pass.

        The longest go first: a program's own beginnings then join its pass.
        """
        with_code = [index for index, item in enumerate(encoded) if item.scored_steps]
        longest_first = sorted(with_code, key=lambda index: -len(encoded[index].input.ids))
        programs = [Program(models[index], encoded[index].input, encoded[index].keys) for index in longest_first]
        scores = dict(zip(longest_first, await self._reuse.score(programs), strict=True))
        return [scores.get(index, []) for index in range(len(encoded))]
