"""No step is scored twice while its score is known or under way.

    every step known                  answered from the cache, no pass
    every step known or under way     joins the passes of other requests, no pass of its own
    else                              one pass, as far as the last step that isn't known

Callers come and go: a pass that waits in the queue is given up only when nobody waits for it any more, and one that
runs already ends and is remembered.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterable, Sequence
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from services.contracts.prm_layout import PrmInput
from services.scorer.batcher import Batcher, Wanted
from services.scorer.metrics import ScorerMetrics
from services.scorer.prefix_cache import PrefixCache, PrefixKey
from services.scorer.prm import ServedModel


@dataclass(frozen=True, slots=True)
class Program:
    """An input whose positions `keys` name, and the model to score it."""

    model: ServedModel
    input: PrmInput
    keys: Sequence[PrefixKey]


@dataclass(slots=True, eq=False)
class _Pass:
    """A pass under way: its place in the queue, the names of the scores that it finds, and who waits for them."""

    keys: Sequence[PrefixKey]
    wanted: Wanted = field(init=False)
    callers: "list[_Caller]" = field(default_factory=list)

    def found(self) -> "zip[tuple[PrefixKey, float]]":
        """Its scores by their names; raises what it failed with."""
        if self.wanted.error is not None:
            raise self.wanted.error
        assert self.wanted.scores is not None
        return zip(self.keys, self.wanted.scores, strict=True)


@dataclass(slots=True, eq=False)
class _Caller:
    """Who waits for passes: for the last of them, or for one that fails."""

    passes: list[_Pass] = field(default_factory=list)
    waiting: "asyncio.Future[None] | None" = None

    def join(self, passes: Sequence[_Pass]) -> None:
        """Wait for these, too."""
        for one in passes:
            if self not in one.callers:
                one.callers.append(self)
                self.passes.append(one)

    def has_all(self) -> bool:
        """Whether they have all ended; any thread may ask. They end about in order, so the last one tells soonest."""
        return all(one.wanted.ended for one in reversed(self.passes))

    async def wait(self) -> None:
        """Return when they have all ended, or one has failed."""
        self.waiting = asyncio.get_running_loop().create_future()
        self.go_on()
        await self.waiting

    def go_on(self) -> None:
        """Wake it, if it waits and need not any more."""
        if self.waiting and not self.waiting.done() and (self.has_all() or any(it.wanted.error for it in self.passes)):
            self.waiting.set_result(None)


@dataclass(frozen=True, slots=True)
class _Plan:
    """How a program gets its scores: those that are known, None for the others, and the passes that find these."""

    keys: Sequence[PrefixKey]
    known: Sequence[float | None]
    passes: Sequence[_Pass]

    def scores(self) -> list[float]:
        found = {key: score for one in self.passes for key, score in one.found()}
        return [found[key] if score is None else score for key, score in zip(self.keys, self.known, strict=True)]


class PrefixReuse:
    """Scores programs by the cheapest of the three ways; used on one event loop alone, so it needs no lock."""

    def __init__(self, batcher: Batcher, cache: PrefixCache, metrics: ScorerMetrics) -> None:
        self._batcher = batcher
        self._cache = cache
        self._metrics = metrics
        self._under_way: WeakKeyDictionary[ServedModel, dict[PrefixKey, _Pass]] = WeakKeyDictionary()
        self._ended: deque[_Pass] = deque()
        self._woken = False

    async def score(self, portions: AsyncIterable[Sequence[Program]]) -> list[list[float]]:
        """The scores of every program of every portion, one for each of its positions.

        A portion is on its way to the model before the next is asked for. What is to be done with it is decided before
        the first wait, so that of two equal programs the second joins the first.
        """
        plans: list[_Plan] = []
        caller = _Caller()
        try:
            async for programs in portions:
                self._settle_ended()
                begun: list[_Pass] = []
                for program in programs:
                    plans.append(self._plan(program, begun))
                    caller.join(plans[-1].passes)
                if begun:
                    self._batcher.submit([one.wanted for one in begun])
            await caller.wait()
        finally:
            for one in caller.passes:
                self._leave(one, caller)
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
        passes = dict.fromkeys(map(self._of(model).get, keys))
        return None if None in passes else [one for one in passes if one is not None]

    def _begin(self, program: Program, missing: Sequence[int]) -> _Pass:
        item = program.input
        positions = [item.positions[index] for index in missing]
        part = PrmInput(item.ids[: positions[-1] + 1], positions, prompt_tokens=item.prompt_tokens)
        loop = asyncio.get_running_loop()
        one = _Pass([program.keys[index] for index in missing])
        one.wanted = Wanted(program.model, part, tell=lambda: self._end(one, loop))
        under_way = self._of(program.model)
        for key in one.keys:
            under_way.setdefault(key, one)
        return one

    def _end(self, one: _Pass, loop: asyncio.AbstractEventLoop) -> None:
        """Called on the pass's thread. The loop is not woken for each pass of a batch: what nobody can go on by is
        settled when somebody can, or comes."""
        self._ended.append(one)
        if not self._woken and (one.wanted.error or any(caller.has_all() for caller in tuple(one.callers))):
            self._woken = True
            loop.call_soon_threadsafe(self._settle_ended)

    def _settle_ended(self) -> None:
        self._woken = False
        callers: dict[_Caller, None] = {}
        while self._ended:
            one = self._ended.popleft()
            self._settle(one)
            callers |= dict.fromkeys(one.callers)
        for caller in callers:
            caller.go_on()

    def _settle(self, one: _Pass) -> None:
        self._forget(one)
        if one.wanted.error is None:
            self._cache.put(one.wanted.model, dict(one.found()))

    def _leave(self, one: _Pass, caller: _Caller) -> None:
        one.callers.remove(caller)
        if not one.callers and self._batcher.withdraw(one.wanted):
            self._forget(one)

    def _forget(self, one: _Pass) -> None:
        under_way = self._of(one.wanted.model)
        for key in one.keys:
            if under_way.get(key) is one:
                del under_way[key]

    def _of(self, model: ServedModel) -> dict[PrefixKey, _Pass]:
        """The passes of a model that are under way, by the keys that they find scores for."""
        return self._under_way.setdefault(model, {})
