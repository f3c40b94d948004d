"""Scores programs: admit, encode, score what isn't known, reply. It knows neither HTTP nor torch."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

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
_PORTION_CHARACTERS = 4000
"""How much of a batch is encoded before a model begins with it: some milliseconds' work."""


@dataclass(slots=True)
class _Item:
    """A program on its way from request to reply; what is not there yet is filled in."""

    index: int
    request: ScoreRequest
    model: ServedModel
    encoded: Encoded = field(init=False)
    scores: Sequence[float] = ()

    @property
    def characters(self) -> int:
        return len(self.request.prompt) + len(self.request.code)


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
        """A reply for each request, in order; none if one of them can't be scored.

        A batch is encoded in portions: the model scores one while the next is encoded.

        Raises:
            UnavailableError, NotFoundError: no model at all, or none of that name.
            BadRequestError: a text is not Unicode.
            TooLargeError: an input is too long for its model, or there are too many.
            OverloadedError: the queue is full.
        """
        models = [self._models.get(request.model) for request in requests]
        with self._admission.take(len(requests)):
            items = [_Item(index, *pair) for index, pair in enumerate(zip(requests, models, strict=True))]
            await self._score_all(items)
        return [compose_reply(item.model.name, item.request, item.encoded, item.scores) for item in items]

    async def _score_all(self, items: Sequence[_Item]) -> None:
        """Give every item its scores, of its `code` steps; a program without any needs no pass.

        The longest go first: a program's own beginnings then join its pass.
        """
        with_code: list[_Item] = []

        async def portions() -> AsyncIterator[list[Program]]:
            for portion in _portions(sorted(items, key=lambda item: -item.characters)):
                await self._encode_all(portion)
                scored = [item for item in portion if item.encoded.scored_steps]
                with_code.extend(scored)
                yield [Program(item.model, item.encoded.input, item.encoded.keys) for item in scored]

        scores = await self._reuse.score(portions())
        for item, row in zip(with_code, scores, strict=True):
            item.scores = row

    async def _encode_all(self, items: Sequence[_Item]) -> None:
        """Off the event loop, unless that costs more than the work."""
        if sum(item.characters for item in items) <= _FEW_CHARACTERS:
            self._encode_each(items)
        else:
            await asyncio.get_running_loop().run_in_executor(self._encoders, self._encode_each, items)

    def _encode_each(self, items: Sequence[_Item]) -> None:
        for item in items:
            started = time.perf_counter()
            item.encoded = _encode(item)
            self._metrics.observe_stage(item.model.name, "encode", time.perf_counter() - started)


def _portions(items: Sequence[_Item]) -> Iterator[list[_Item]]:
    """The items in order, in portions of about `_PORTION_CHARACTERS`."""
    portion: list[_Item] = []
    for item in items:
        portion.append(item)
        if sum(one.characters for one in portion) >= _PORTION_CHARACTERS:
            yield portion
            portion = []
    if portion:
        yield portion


def _encode(item: _Item) -> Encoded:
    try:
        (item.request.prompt + item.request.code).encode()
        return encode(item.request, item.model.prm)
    except UnicodeEncodeError as error:
        raise BadRequestError(
            "not_unicode",
            "the prompt or the code has a lone surrogate, which is no character",
            details={"item": item.index},
        ) from error
    except InputTooLongError as error:
        raise TooLargeError(
            "too_long",
            f'{error}; shorten it, or ask for "truncate": "prompt" where the prompt is what is long',
            details={"tokens": error.tokens, "max_tokens": error.max_tokens, "item": item.index},
        ) from error
