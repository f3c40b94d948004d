"""Ctrl-C and SIGTERM for a command that has children to end: the first ends in order, the second at once."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def ending_in_order(at_once: Callable[[], None], announce: Callable[[str], None]) -> Iterator[None]:
    """Within the block the first signal raises `KeyboardInterrupt`, each further one calls `at_once`.

    Only the main thread may enter it: Python gives signals to no other.
    """
    seen: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        seen.append(number)
        if len(seen) == 1:
            announce("ending; once more to kill what is left.")
            raise KeyboardInterrupt
        at_once()

    before = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
