"""Scores that were given before, found by all that they depend on: the loaded model and the ids up to the step's end.

A model is known to be causal, so nothing behind a step enters its score, and a longer program finds the steps that it
shares with a shorter one. Ids are compared by a 256-bit digest, which nobody can make collide. Leaves out: passes.
"""

import hashlib
from array import array
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from weakref import WeakKeyDictionary

from services.contracts.prm_layout import PrmInput
from services.scorer.metrics import ScorerMetrics
from services.scorer.prm import ServedModel

PrefixKey = bytes
"""Names the ids of an input up to one of its positions, that position included."""


def prefix_keys(item: PrmInput) -> list[PrefixKey]:
    """A key for each of `item`'s positions, which must rise; one walk over the ids makes them all."""
    ids = array("Q", item.ids)
    digest = hashlib.blake2b(digest_size=32)
    keys: list[PrefixKey] = []
    start = 0
    for position in item.positions:
        digest.update(ids[start : position + 1].tobytes())
        start = position + 1
        keys.append(digest.digest())
    return keys


class PrefixCache:
    """The newest `max_entries` scores of each model; a model that is replaced takes its scores with it.

    Used on the event loop alone, so it needs no lock.
    """

    def __init__(self, max_entries: int, metrics: ScorerMetrics) -> None:
        self._max_entries = max_entries
        self._metrics = metrics
        self._scores: WeakKeyDictionary[ServedModel, OrderedDict[PrefixKey, float]] = WeakKeyDictionary()

    def get(self, model: ServedModel, keys: Sequence[PrefixKey]) -> list[float | None]:
        """The score that each key is known by, None where it isn't known; what is asked for is forgotten last."""
        scores = self._of(model)
        for key in keys:
            if key in scores:
                scores.move_to_end(key)
        return [scores.get(key) for key in keys]

    def put(self, model: ServedModel, found: Mapping[PrefixKey, float]) -> None:
        """Remember scores, and forget the ones longest unused above the limit."""
        scores = self._of(model)
        for key, score in found.items():
            scores[key] = score
            scores.move_to_end(key)
        while len(scores) > self._max_entries:
            scores.popitem(last=False)
        self._metrics.observe_cache(model.name, len(scores))

    def _of(self, model: ServedModel) -> OrderedDict[PrefixKey, float]:
        if model not in self._scores:
            self._scores[model] = OrderedDict()
            self._metrics.observe_cache(model.name, 0)
        return self._scores[model]
