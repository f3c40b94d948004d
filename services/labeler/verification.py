"""Has programs run by the executor, and does not give up lightly.

Programs travel in chunks. A reply of `internal_error` is asked for again and in the end left unanswered (None):
it is our failure, never a label. An executor that is away is waited for, with back-off, for as long as `patience_s`;
one that is busy (429) as long as it takes. If it answers others and never these programs, they are what is wrong.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Iterator, Sequence
from itertools import islice
from typing import Protocol

from services.client.errors import NoAnswerError, OverloadedError, RequestError
from services.contracts import AssertTest, ExecuteReply, ExecuteRequest, TestCase, Verdict
from services.labeler.errors import ExecutorLostError, UnusableProblemError

logger = logging.getLogger(__name__)

CHUNK_PROGRAMS = 50
CHUNK_CHARACTERS = 4_000_000
_ATTEMPTS_AT_INTERNAL_ERRORS = 3
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 8.0
_TOO_LARGE = 413
_ABOUT_THE_PROGRAMS = frozenset({400, _TOO_LARGE, 422})
_NOTHING = ExecuteRequest(code="", tests=["pass"])
"""A program that any executor which runs programs at all can run."""


class Executor(Protocol):
    """What is needed of `services.client.ExecutorClient`."""

    def execute_batch(self, programs: Sequence[ExecuteRequest]) -> Awaitable[list[ExecuteReply]]: ...


class Verifier:
    """Runs programs for one job; whoever is not interested any more cancels the call."""

    def __init__(self, executor: Executor, *, patience_s: float) -> None:
        self._executor = executor
        self._patience_s = patience_s

    async def run(self, programs: Sequence[ExecuteRequest]) -> list[ExecuteReply | None]:
        """A reply for each program, in order; None where the executor kept failing at it.

        Raises:
            ExecutorLostError: no answer for `patience_s` seconds.
            UnusableProblemError: the executor refuses these programs, or can't answer them.
        """
        replies: list[ExecuteReply | None] = [None] * len(programs)
        for _ in range(_ATTEMPTS_AT_INTERNAL_ERRORS):
            waiting = [index for index, reply in enumerate(replies) if reply is None]
            for chunk in _chunks(waiting, programs):
                for index, reply in zip(chunk, await self._ask([programs[at] for at in chunk]), strict=True):
                    replies[index] = None if reply.verdict is Verdict.INTERNAL_ERROR else reply
        return replies

    async def _ask(self, programs: Sequence[ExecuteRequest]) -> list[ExecuteReply]:
        """The replies to one chunk, or to its halves where the executor's queue does not hold it whole."""
        try:
            return await self._ask_patiently(programs)
        except RequestError as error:
            if error.status not in _ABOUT_THE_PROGRAMS:
                raise ExecutorLostError(f"the executor refused the labeler: {error.message}") from error
            if error.status != _TOO_LARGE or len(programs) == 1:
                raise UnusableProblemError(f"the executor refused it: {error.message}") from error
        middle = len(programs) // 2
        return [*await self._ask(programs[:middle]), *await self._ask(programs[middle:])]

    async def _ask_patiently(self, programs: Sequence[ExecuteRequest]) -> list[ExecuteReply]:
        wait_s, deadline, suspected = _FIRST_WAIT_S, time.monotonic() + self._patience_s, False
        while True:
            try:
                return await self._executor.execute_batch(programs)
            except NoAnswerError as error:
                failure = error
            pause_s = max(wait_s, failure.retry_after_s)
            if isinstance(failure, OverloadedError):
                deadline = time.monotonic() + pause_s + self._patience_s
            elif suspected:
                raise UnusableProblemError(f"the executor answers others, but not its programs: {failure}")
            elif time.monotonic() + pause_s > deadline:
                await self._require_executor(failure)
                suspected = True
                continue
            logger.warning("the executor gave no answer", extra={"wait_s": pause_s, "error": type(failure).__name__})
            await asyncio.sleep(pause_s)
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    async def _require_executor(self, failure: NoAnswerError) -> None:
        """Raise `ExecutorLostError` unless the simplest program is run."""
        try:
            [reply] = await self._executor.execute_batch([_NOTHING])
        except NoAnswerError:
            reply = None
        if reply is None or reply.verdict is not Verdict.ACCEPTED:
            raise ExecutorLostError(f"the executor gave no answer: {failure}") from failure


def _chunks(indices: Sequence[int], programs: Sequence[ExecuteRequest]) -> Iterator[list[int]]:
    """`indices` in runs of at most `CHUNK_PROGRAMS` programs and, but for one program alone, `CHUNK_CHARACTERS`."""
    remaining = iter(indices)
    while chunk := list(islice(remaining, CHUNK_PROGRAMS)):
        yield from _light_enough(chunk, programs)


def _light_enough(chunk: list[int], programs: Sequence[ExecuteRequest]) -> Iterator[list[int]]:
    if len(chunk) > 1 and sum(_weight(programs[index]) for index in chunk) > CHUNK_CHARACTERS:
        middle = len(chunk) // 2
        yield from _light_enough(chunk[:middle], programs)
        yield from _light_enough(chunk[middle:], programs)
    else:
        yield chunk


def _weight(program: ExecuteRequest) -> int:
    return len(program.code) + len(program.setup) + sum(map(_length, program.tests))


def _length(test: TestCase) -> int:
    return len(test.code) if isinstance(test, AssertTest) else len(repr(test))
