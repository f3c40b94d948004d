"""No step is scored twice while its score is known or under way.

    every step known                  answered from the cache, no pass
    every step known or under way     joins the passes of other requests, no pass of its own
    else                              one pass, as far as the last step that isn't known

Callers come and go: a pass that waits in the queue is given up only when nobody waits for it any more, and one that
runs already ends and is remembered.
"""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from services.contracts.prm_layout import PrmInput
from services.scorer.batcher import Batcher
from services.scorer.metrics import ScorerMetrics
from services.scorer.prefix_cache import PrefixCache, PrefixKey
from services.scorer.prm import ServedModel

Found = Mapping[PrefixKey, float]


@dataclass(slots=True, eq=False)
class _Pass:
    """A pass under way: its place in the queue, what it finds, and how many wait for it."""

    model: ServedModel
    keys: list[PrefixKey]
    queued: "Future[list[float]]"
    found: "asyncio.Task[Found]"
    waiting: int = 0


class PrefixReuse:
    """Scores inputs by the cheapest of the three ways; used on one event loop alone, so it needs no lock."""

    def __init__(self, batcher: Batcher, cache: PrefixCache, metrics: ScorerMetrics) -> None:
        self._batcher = batcher
        self._cache = cache
        self._metrics = metrics
        self._under_way: dict[tuple[ServedModel, PrefixKey], _Pass] = {}

    async def score(self, model: ServedModel, item: PrmInput, keys: Sequence[PrefixKey]) -> list[float]:
        """The scores of `item`, one for each of its positions, which `keys` name.

        What is to be done is decided before the first wait, so that of two equal calls the second joins the first.
        """
        known = self._cache.get(model, keys)
        missing = [index for index, score in enumerate(known) if score is None]
        others = self._passes_with(model, [keys[index] for index in missing])
        passes = [self._start(model, item, keys, missing)] if others is None else others
        own = len(missing) if others is None else 0
        self._metrics.observe_sources(
            model.name, cached=len(keys) - len(missing), joined=len(missing) - own, scored=own
        )
        found = await self._wait(passes)
        return [found[key] if score is None else score for key, score in zip(keys, known, strict=True)]

    def _passes_with(self, model: ServedModel, keys: Sequence[PrefixKey]) -> list[_Pass] | None:
        """The passes that will have found all of `keys`, None where one is found by none."""
        passes = dict.fromkeys(self._under_way.get((model, key)) for key in keys)
        return None if None in passes else [one for one in passes if one is not None]

    def _start(self, model: ServedModel, item: PrmInput, keys: Sequence[PrefixKey], missing: Sequence[int]) -> _Pass:
        positions = [item.positions[index] for index in missing]
        wanted = [keys[index] for index in missing]
        part = PrmInput(item.ids[: positions[-1] + 1], positions, prompt_tokens=item.prompt_tokens)
        queued = self._batcher.submit(model, part)
        one = _Pass(model, wanted, queued, asyncio.create_task(self._find(model, wanted, queued)))
        for key in wanted:
            self._under_way.setdefault((model, key), one)
        one.found.add_done_callback(lambda _: self._forget(one))
        return one

    async def _find(self, model: ServedModel, keys: Sequence[PrefixKey], queued: "Future[list[float]]") -> Found:
        scores = await asyncio.wrap_future(queued)
        found = dict(zip(keys, scores, strict=True))
        self._cache.put(model, found)
        return found

    async def _wait(self, passes: Sequence[_Pass]) -> Found:
        for one in passes:
            one.waiting += 1
        found: dict[PrefixKey, float] = {}
        try:
            for one in passes:
                found.update(await asyncio.shield(one.found))
        finally:
            for one in passes:
                self._leave(one)
        return found

    def _leave(self, one: _Pass) -> None:
        one.waiting -= 1
        if not one.waiting and one.queued.cancel():
            self._forget(one)

    def _forget(self, one: _Pass) -> None:
        for key in one.keys:
            if self._under_way.get((one.model, key)) is one:
                del self._under_way[one.model, key]
