"""No step is scored twice while its score is known or under way.

    every step known                  answered from the cache, no pass
    every step known or under way     joins the passes of other requests, no pass of its own
    else                              one pass, as far as the last step that isn't known

Callers come and go: a pass that waits in the queue is given up only when nobody waits for it any more, and one that
runs already ends and is remembered.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from services.contracts.prm_layout import PrmInput
from services.scorer.batcher import Batcher, Wanted
from services.scorer.metrics import ScorerMetrics
from services.scorer.prefix_cache import PrefixCache, PrefixKey
from services.scorer.prm import ServedModel

Found = Mapping[PrefixKey, float]


@dataclass(frozen=True, slots=True)
class Program:
    """An input whose positions `keys` name, and the model to score it."""

    model: ServedModel
    input: PrmInput
    keys: Sequence[PrefixKey]


@dataclass(slots=True, eq=False)
class _Pass:
    """A pass under way: its place in the queue, what it finds, and how many wait for it."""

    keys: Sequence[PrefixKey]
    wanted: Wanted
    found: "asyncio.Future[Found]"
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class _Plan:
    """How a program gets its scores: those that are known, None for the others, and the passes that find these."""

    keys: Sequence[PrefixKey]
    known: Sequence[float | None]
    passes: Sequence[_Pass]

    def scores(self) -> list[float]:
        found = {key: score for one in self.passes for key, score in one.found.result().items()}
        return [found[key] if score is None else score for key, score in zip(self.keys, self.known, strict=True)]


class PrefixReuse:
    """Scores programs by the cheapest of the three ways; used on one event loop alone, so it needs no lock."""

    def __init__(self, batcher: Batcher, cache: PrefixCache, metrics: ScorerMetrics) -> None:
        self._batcher = batcher
        self._cache = cache
        self._metrics = metrics
        self._under_way: dict[tuple[ServedModel, PrefixKey], _Pass] = {}
        self._ended: deque[_Pass] = deque()
        self._woken = False

    async def score(self, portions: AsyncIterable[Sequence[Program]]) -> list[list[float]]:
        """The scores of every program of every portion, one for each of its positions.

        A portion is on its way to the model before the next is asked for. What is to be done with it is decided before
        the first wait, so that of two equal programs the second joins the first.
        """
        plans: list[_Plan] = []
        joined: dict[_Pass, None] = {}
        try:
            async for programs in portions:
                begun: list[_Pass] = []
                of_portion = [self._plan(program, begun) for program in programs]
                self._join([one for plan in of_portion for one in plan.passes], joined)
                if begun:
                    self._batcher.submit([one.wanted for one in begun])
                plans += of_portion
            for one in joined:
                await asyncio.shield(one.found)
        finally:
            for one in joined:
                self._leave(one)
        return [plan.scores() for plan in plans]

    def _plan(self, program: Program, begun: list[_Pass]) -> _Plan:
        """The plan for one; a pass that it needs of its own is added to `begun`."""
        model, keys = program.model, program.keys
        known = self._cache.get(model, keys)
        missing = [index for index, score in enumerate(known) if score is None]
        passes = self._passes_with(model, [keys[index] for index in missing])
        own = len(missing) if passes is None else 0
        if passes is None:
            passes = [self._begin(program, missing)]
            begun += passes
        self._metrics.observe_sources(
            model.name, cached=len(keys) - len(missing), joined=len(missing) - own, scored=own
        )
        return _Plan(keys, known, passes)

    def _passes_with(self, model: ServedModel, keys: Sequence[PrefixKey]) -> list[_Pass] | None:
        """The passes that will have found all of `keys`, None where one is found by none."""
        passes = dict.fromkeys(self._under_way.get((model, key)) for key in keys)
        return None if None in passes else [one for one in passes if one is not None]

    def _begin(self, program: Program, missing: Sequence[int]) -> _Pass:
        item = program.input
        positions = [item.positions[index] for index in missing]
        part = PrmInput(item.ids[: positions[-1] + 1], positions, prompt_tokens=item.prompt_tokens)
        loop = asyncio.get_running_loop()
        one = _Pass([program.keys[index] for index in missing], Wanted(program.model, part), loop.create_future())
        for key in one.keys:
            self._under_way.setdefault((program.model, key), one)
        one.wanted.scores.add_done_callback(lambda _: self._end(one, loop))
        return one

    def _end(self, one: _Pass, loop: asyncio.AbstractEventLoop) -> None:
        """Called on whatever thread ended the pass; the loop is woken once for all that end together."""
        self._ended.append(one)
        if not self._woken:
            self._woken = True
            loop.call_soon_threadsafe(self._settle_ended)

    def _settle_ended(self) -> None:
        self._woken = False
        while self._ended:
            self._settle(self._ended.popleft())

    def _settle(self, one: _Pass) -> None:
        self._forget(one)
        scores = one.wanted.scores
        if scores.cancelled():
            one.found.cancel()
        elif error := scores.exception():
            one.found.set_exception(error)
            one.found.exception()  # the batcher has logged it, whether anybody still waits or not
        else:
            found = dict(zip(one.keys, scores.result(), strict=True))
            self._cache.put(one.wanted.model, found)
            one.found.set_result(found)

    def _join(self, passes: Iterable[_Pass], joined: dict[_Pass, None]) -> None:
        """Wait for `passes`, each counted once for all that have `joined` it together."""
        for one in passes:
            if one not in joined:
                one.waiting += 1
                joined[one] = None

    def _leave(self, one: _Pass) -> None:
        one.waiting -= 1
        if not one.waiting and one.wanted.scores.cancel():
            self._forget(one)

    def _forget(self, one: _Pass) -> None:
        for key in one.keys:
            if self._under_way.get((one.wanted.model, key)) is one:
                del self._under_way[one.wanted.model, key]
