"""Many requests asked in chunks, all under way at once; what is not answered is None and spoils no other."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from services.client.errors import NoAnswerError, RequestError

Ask = TypeVar("Ask")
Answer = TypeVar("Answer")
AskMany = Callable[[Sequence[Ask]], Awaitable[list[Answer]]]

log = logging.getLogger(__name__)
_HOPELESS = frozenset({401, 403, 404})
_CHUNK = 16  # programs a request: small enough that several are under way at a time


async def ask_all(ask: AskMany[Ask, Answer], requests: Sequence[Ask]) -> list[Answer | None]:
    """The answers in order; None for a failure of ours, and for a request that the service refuses for itself.

    Raises:
        RequestError: no request could ever succeed (a wrong key, an unknown model).
    """
    chunks = [requests[start : start + _CHUNK] for start in range(0, len(requests), _CHUNK)]
    answers = await asyncio.gather(*(_ask_chunk(ask, chunk) for chunk in chunks))
    return [answer for chunk in answers for answer in chunk]


async def _ask_chunk(ask: AskMany[Ask, Answer], requests: Sequence[Ask]) -> list[Answer | None]:
    """Ask for one chunk; a refused one is halved until the request that is to blame stands alone."""
    try:
        return [*await ask(requests)]
    except NoAnswerError as error:
        log.warning("no reward for %d programs: %s", len(requests), error)
        return [None] * len(requests)
    except RequestError as error:
        if error.status in _HOPELESS:
            raise
        if len(requests) == 1:
            log.warning("no reward for a program: %s", error)
            return [None]
    half = len(requests) // 2
    return [*await _ask_chunk(ask, requests[:half]), *await _ask_chunk(ask, requests[half:])]
