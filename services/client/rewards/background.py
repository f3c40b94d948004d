"""An event loop on a thread of its own, one a process, for callers that are not async."""

import asyncio
import os
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


def run_in_background(work: Coroutine[Any, Any, Result]) -> Result:
    """The result of `work`, or its exception; callable from any thread, also of one that runs a loop itself."""
    return asyncio.run_coroutine_threadsafe(work, _running_loop()).result()


def _running_loop() -> asyncio.AbstractEventLoop:
    global _loop
    with _lock:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="linewise-rewards", daemon=True).start()
        return _loop


def _forget() -> None:
    """A forked child has the loop's memory, but not its thread."""
    global _lock, _loop
    _lock, _loop = threading.Lock(), None


os.register_at_fork(after_in_child=_forget)
