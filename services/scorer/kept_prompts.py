"""Keys and values of the prompts read last, so that the rollouts of one prompt read it once though they take several
passes. Bounded by bytes: a token of a RoBERTa-base takes 74 kB.
"""

import copy
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from transformers import DynamicCache

MAX_BYTES = 128 * 2**20


class KeptPrompts:
    """The newest prompts, as many as `max_bytes` hold but the newest always; passes that run side by side share it."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._caches: OrderedDict[tuple[int, ...], DynamicCache] = OrderedDict()

    def __contains__(self, ids: Sequence[int]) -> bool:
        return tuple(ids) in self._caches

    def keep(self, ids: Sequence[int], cache: DynamicCache) -> None:
        """Keep what a pass over `ids` left in `cache`, which nobody changes from now on, and let the oldest go."""
        with self._lock:
            self._caches[tuple(ids)] = cache
            while len(self._caches) > 1 and sum(map(_bytes_of, self._caches.values())) > self._max_bytes:
                self._caches.popitem(last=False)

    def copy(self, ids: Sequence[int]) -> DynamicCache | None:
        """A cache of `ids` that its caller may change, None where none is kept."""
        with self._lock:
            if tuple(ids) not in self._caches:
                return None
            self._caches.move_to_end(tuple(ids))
            kept = self._caches[tuple(ids)]
        return copy.deepcopy(kept)


def _bytes_of(cache: DynamicCache) -> int:
    layers: list[Any] = cache.layers
    return sum(layer.keys.nbytes + layer.values.nbytes for layer in layers)
