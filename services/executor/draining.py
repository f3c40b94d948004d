"""The end of a server under load: every request that it took in is answered before the process leaves."""

import asyncio

from services.executor.pool import Pool
from services.executor.settings import ExecutorSettings
from services.kit.drain import Drain

_SHARE = 0.8
"""Of the drain time, for what runs; the rest is for the replies."""


async def drain(pool: Pool, begun: Drain, settings: ExecutorSettings) -> None:
    """Wait for SIGTERM and `drain_delay_s`; then refuse what waits, and when `drain_s` is nearly over, kill what runs.

    What is refused or killed is answered 503, so that its caller asks another server.
    """
    await begun.wait()
    await asyncio.sleep(settings.drain_delay_s)
    pool.refuse()
    await asyncio.sleep(settings.drain_s * _SHARE)
    await asyncio.to_thread(pool.close)
