"""Knows whether this process has been asked to end."""

import asyncio


class Drain:
    """Once begun, `/readyz` answers 503 and streams that would go on for ever should end."""

    def __init__(self) -> None:
        self._begun = asyncio.Event()

    @property
    def begun(self) -> bool:
        """True from SIGTERM (or SIGINT) on."""
        return self._begun.is_set()

    def begin(self) -> None:
        """Turn readiness off; call it on the event loop."""
        self._begun.set()

    async def wait(self) -> None:
        """Return when the process has been asked to end."""
        await self._begun.wait()
