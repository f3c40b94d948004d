"""One queue and one model thread for all connections.

A pass takes the oldest waiting input and those of its model that are near it in length, up to the token budget,
rollouts of one prompt among themselves where the model reads a shared prompt once; then the queue is looked at again,
with whatever arrived meanwhile. An input that comes alone is held for `max_wait_s` at
most. What bounds the queue is `services.scorer.admission`.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from services.contracts.prm_layout import PrmInput
from services.scorer.grouping import group_by_length
from services.scorer.metrics import ScorerMetrics
from services.scorer.prm import ServedModel
from services.scorer.shared_prompts import PromptKey, batches_of, prompt_key, shared_prompt

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    model: ServedModel
    input: PrmInput
    prompt: PromptKey
    scores: "Future[list[float]]" = field(default_factory=Future)
    since: float = field(default_factory=time.perf_counter)


class Batcher:
    """Scores inputs in batches on a thread of its own, from `start` to `close`.

    `on_start` runs first on that thread; torch's thread count, for one, belongs to the thread that sets it.
    """

    def __init__(
        self,
        *,
        max_batch_tokens: int,
        max_wait_s: float,
        metrics: ScorerMetrics,
        on_start: Callable[[], None] = lambda: None,
    ) -> None:
        self._max_batch_tokens = max_batch_tokens
        self._max_wait_s = max_wait_s
        self._metrics = metrics
        self._on_start = on_start
        self._waiting: list[_Waiting] = []
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="scorer-model", daemon=True)

    def start(self) -> None:
        """Begin to score."""
        self._thread.start()

    def close(self) -> None:
        """Score what is waiting, then end."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def submit(self, model: ServedModel, item: PrmInput) -> "Future[list[float]]":
        """The scores of `item`, one for each of its positions; a cancelled future is never scored.

        Raises:
            RuntimeError: the batcher is closed.
        """
        waiting = _Waiting(model, item, prompt_key(item))
        with self._changed:
            if self._closed:
                raise RuntimeError("the batcher is closed")
            self._waiting.append(waiting)
            self._changed.notify()
        return waiting.scores

    def _run(self) -> None:
        self._on_start()
        while batch := self._next_batch():
            if live := [item for item in batch if item.scores.set_running_or_notify_cancel()]:
                self._score(live)

    def _next_batch(self) -> list[_Waiting]:
        """Wait for work; nothing only when closed and done."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if self._waiting:
                held = time.perf_counter() - self._waiting[0].since
                self._changed.wait_for(self._has_enough, timeout=max(0.0, self._max_wait_s - held))
            return self._take()

    def _has_enough(self) -> bool:
        return self._closed or sum(len(item.input.ids) for item in self._waiting) >= self._max_batch_tokens

    def _take(self) -> list[_Waiting]:
        if not self._waiting:
            return []
        model = self._waiting[0].model
        of_model = [item for item in self._waiting if item.model is model]
        groups = self._groups(model, of_model)
        with_oldest = next(group for group in groups if 0 in group)
        batch = [of_model[index] for index in with_oldest]
        taken = set(map(id, batch))
        self._waiting = [item for item in self._waiting if id(item) not in taken]
        return batch

    def _groups(self, model: ServedModel, waiting: Sequence[_Waiting]) -> list[list[int]]:
        lengths = [len(item.input.ids) for item in waiting]
        if model.prm.shares_prompts:
            return batches_of(lengths, [item.prompt for item in waiting], self._max_batch_tokens)
        return group_by_length(lengths, self._max_batch_tokens)

    def _score(self, batch: list[_Waiting]) -> None:
        model, inputs = batch[0].model, [item.input for item in batch]
        started = time.perf_counter()
        try:
            scores = model.prm.score(inputs)
        except Exception as error:
            logger.exception("a pass of the model failed", extra={"model": model.name, "programs": len(batch)})
            for item in batch:
                item.scores.set_exception(error)
            return
        ended = time.perf_counter()
        for item, row in zip(batch, scores, strict=True):
            item.scores.set_result(row)
        self._metrics.observe_stage(model.name, "model", ended - started)
        shared = shared_prompt(inputs) if model.prm.shares_prompts else 0
        self._metrics.observe_pass(model.name, inputs, scores, shared)
        for item in batch:
            self._metrics.observe_stage(model.name, "queue", started - item.since)
