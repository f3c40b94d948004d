"""Who asks and how long they wait: what a request says beside its body."""

import time
from dataclasses import dataclass, replace

from services.executor.sandbox import Bounds

_LEAST_S = 0.001


@dataclass(frozen=True, slots=True)
class Caller:
    """`client` is whose turn it is when clients take turns; `deadline` is `time.monotonic`'s, None where it waits."""

    client: str = ""
    deadline: float | None = None

    def clip(self, bounds: Bounds) -> Bounds:
        """`bounds` with no more wall time than is left: what is killed for that is answered 504, not with a verdict."""
        if self.deadline is None:
            return bounds
        left_s = max(_LEAST_S, self.deadline - time.monotonic())
        return bounds if left_s >= bounds.wall_s else replace(bounds, wall_s=left_s)
