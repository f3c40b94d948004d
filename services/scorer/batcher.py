"""One queue for all connections, and the threads of the processor shared out among the passes.

A pass takes the oldest waiting input and those of its model that are near it in length, up to the token budget,
rollouts of one prompt among themselves where the model reads a shared prompt once; then the queue is looked at again,
with whatever arrived meanwhile. Passes run side by side: what waits is divided among the threads that are free, and a
pass that has no company takes as many of them as its work is worth. What bounds the queue is
`services.scorer.admission`.
"""

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from services.contracts.prm_layout import PrmInput
from services.scorer.grouping import group_by_length
from services.scorer.metrics import ScorerMetrics
from services.scorer.prm import ServedModel
from services.scorer.shared_prompts import PromptKey, batches_of, prompt_key

logger = logging.getLogger(__name__)

_PRODUCTS_A_THREAD = 1_000_000_000
"""Weights times tokens below which a further thread costs a pass more than it brings (ADR 0025)."""


@dataclass(slots=True, eq=False)
class Wanted:
    """An input, and in the end its scores, one for each of its positions, or why there are none.

    `tell` is called then, on the thread of the pass.
    """

    model: ServedModel
    input: PrmInput
    tell: Callable[[], None]
    prompt: PromptKey = field(init=False)
    since: float = field(default_factory=time.perf_counter)
    scores: Sequence[float] | None = None
    error: Exception | None = None

    def __post_init__(self) -> None:
        self.prompt = prompt_key(self.input)

    @property
    def ended(self) -> bool:
        """Whether its pass has."""
        return self.scores is not None or self.error is not None


@dataclass(frozen=True, slots=True)
class _Batch:
    """A pass to be made, and how many threads it has."""

    items: Sequence[Wanted]
    threads: int


class Batcher:
    """Scores inputs in batches on threads of its own, from `start` to `close`.

    `threads`: of the processor, to be shared out. `use_threads` is told on a pass's own thread how many it has.
    `max_wait_s`: how long the oldest input waits for company though a thread is free.
    """

    def __init__(
        self,
        *,
        metrics: ScorerMetrics,
        max_wait_s: float = 0.0,
        threads: int = 1,
        use_threads: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._max_wait_s = max_wait_s
        self._metrics = metrics
        self._use_threads = use_threads
        self._waiting: list[Wanted] = []
        self._changed = threading.Condition()
        self._closed = False
        self._free = threads
        self._lanes = [
            threading.Thread(target=self._run, name=f"scorer-model-{number}", daemon=True) for number in range(threads)
        ]

    def start(self) -> None:
        """Begin to score."""
        for lane in self._lanes:
            lane.start()

    def close(self) -> None:
        """Score what is waiting, then end."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for lane in self._lanes:
            lane.join()

    def submit(self, wanted: Sequence[Wanted]) -> None:
        """Put all of them on the queue before the next pass is chosen.

        Raises:
            RuntimeError: the batcher is closed.
        """
        with self._changed:
            if self._closed:
                raise RuntimeError("the batcher is closed")
            self._waiting += wanted
            self._changed.notify()

    def withdraw(self, wanted: Wanted) -> bool:
        """Take an input off the queue; False where it is there no more."""
        with self._changed:
            if wanted not in self._waiting:
                return False
            self._waiting.remove(wanted)
            return True

    def _run(self) -> None:
        while batch := self._next_batch():
            try:
                self._use_threads(batch.threads)
                self._score(batch.items)
            finally:
                self._give_back(batch.threads)

    def _next_batch(self) -> _Batch | None:
        """Wait for work and a free thread; nothing only when closed and done."""
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._has_work() or self._is_done())
                if self._is_done():
                    return None
                held = time.perf_counter() - self._waiting[0].since
                self._changed.wait_for(self._has_enough, timeout=max(0.0, self._max_wait_s - held))
                if self._has_work():
                    return self._take()

    def _has_work(self) -> bool:
        return bool(self._waiting and self._free)

    def _is_done(self) -> bool:
        return self._closed and not self._waiting

    def _has_enough(self) -> bool:
        if self._closed or not self._waiting:
            return self._closed
        return sum(len(item.input.ids) for item in self._waiting) >= self._waiting[0].model.prm.pass_tokens

    def _take(self) -> _Batch:
        """The batch with the oldest input, and its share of the free threads."""
        model = self._waiting[0].model
        of_model = [item for item in self._waiting if item.model is model]
        groups = self._groups(model, of_model)
        items = [of_model[index] for index in next(group for group in groups if 0 in group)]
        taken = set(map(id, items))
        self._waiting = [item for item in self._waiting if id(item) not in taken]
        others = len({id(item.model) for item in self._waiting} - {id(model)})
        worth = model.prm.parameters * sum(len(item.input.ids) for item in items) // _PRODUCTS_A_THREAD
        threads = max(1, min(worth, self._free // (len(groups) + others)))
        self._free -= threads
        if self._has_work():
            self._changed.notify()
        return _Batch(items, threads)

    def _give_back(self, threads: int) -> None:
        with self._changed:
            self._free += threads
            self._changed.notify_all()

    def _groups(self, model: ServedModel, waiting: Sequence[Wanted]) -> list[list[int]]:
        """Batches that are small enough for each thread to get one, for those that are busy will be free before all of
        this is scored."""
        lengths = [len(item.input.ids) for item in waiting]
        budget = min(model.prm.pass_tokens, max(lengths) * math.ceil(len(lengths) / len(self._lanes)))
        if model.prm.shares_prompts:
            return batches_of(lengths, [item.prompt for item in waiting], budget)
        return group_by_length(lengths, budget)

    def _score(self, batch: Sequence[Wanted]) -> None:
        model, inputs = batch[0].model, [item.input for item in batch]
        started = time.perf_counter()
        try:
            prompt = model.prm.prompt_use(inputs)
            scores = model.prm.score(inputs)
        except Exception as error:
            logger.exception("a pass of the model failed", extra={"model": model.name, "programs": len(batch)})
            for item in batch:
                item.error = error
        else:
            self._metrics.observe_stage(model.name, "model", time.perf_counter() - started)
            self._metrics.observe_stage(model.name, "queue", *(started - item.since for item in batch))
            self._metrics.observe_pass(model.name, inputs, scores, prompt)
            for item, row in zip(batch, scores, strict=True):
                item.scores = row
        for item in batch:
            item.tell()
