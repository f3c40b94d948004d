"""The verifier asks again where asking helps, and only there."""

import pytest

from services.client.errors import DeadlineExceededError, OverloadedError, RequestError, UnreachableError
from services.contracts import ExecuteReply, ExecuteRequest, Verdict
from services.labeler.errors import ExecutorLostError, UnusableProblemError
from services.labeler.verification import CHUNK_PROGRAMS, Verifier


class ScriptedExecutor:
    """Answers each batch as the next of `script` says: an exception to raise, or a verdict for every program."""

    def __init__(self, *script):
        self._script = list(script)
        self.batches = []

    async def execute_batch(self, programs):
        self.batches.append(len(programs))
        act = self._script.pop(0) if self._script else Verdict.ACCEPTED
        if isinstance(act, Exception):
            raise act
        return [ExecuteReply(verdict=act, passed=0, total=0, wall_s=0, isolation="", tests=[]) for _ in programs]


def programs(count, code="x = 1"):
    return [ExecuteRequest(code=code, tests=[]) for _ in range(count)]


def verifier(executor, *, patience_s=60.0):
    return Verifier(executor, patience_s=patience_s)


async def test_programs_travel_in_chunks():
    executor = ScriptedExecutor()
    assert len(await verifier(executor).run(programs(2 * CHUNK_PROGRAMS + 1))) == 2 * CHUNK_PROGRAMS + 1
    assert executor.batches == [CHUNK_PROGRAMS, CHUNK_PROGRAMS, 1]


async def test_heavy_programs_travel_in_smaller_chunks():
    executor = ScriptedExecutor()
    await verifier(executor).run(programs(4, code="x" * 1_500_000))
    assert executor.batches == [2, 2]


async def test_an_internal_error_is_asked_again_and_in_the_end_left_without_an_answer():
    executor = ScriptedExecutor(Verdict.INTERNAL_ERROR, Verdict.WRONG_ANSWER)
    [reply] = await verifier(executor).run(programs(1))
    assert reply.verdict is Verdict.WRONG_ANSWER
    assert await verifier(ScriptedExecutor(*[Verdict.INTERNAL_ERROR] * 9)).run(programs(2)) == [None, None]


async def test_an_executor_that_comes_back_is_waited_for():
    executor = ScriptedExecutor(UnreachableError("away"))
    [reply] = await verifier(executor).run(programs(1))
    assert reply.verdict is Verdict.ACCEPTED


async def test_an_executor_that_stays_away_is_given_up():
    with pytest.raises(ExecutorLostError, match="away"):
        await verifier(ScriptedExecutor(*[UnreachableError("away")] * 2), patience_s=0).run(programs(1))


async def test_a_refusal_is_the_problems_fault_and_is_not_repeated():
    executor = ScriptedExecutor(RequestError(400, "limit_above_maximum", "wall_s is above 60"))
    with pytest.raises(UnusableProblemError, match="wall_s is above 60"):
        await verifier(executor).run(programs(1))
    assert len(executor.batches) == 1


async def test_a_busy_executor_is_waited_for_however_long_and_as_long_as_it_asks():
    busy = OverloadedError("full")
    busy.retry_after_s = 0.6
    executor = ScriptedExecutor(busy, busy)
    [reply] = await verifier(executor, patience_s=0).run(programs(1))
    assert reply.verdict is Verdict.ACCEPTED


async def test_programs_that_alone_get_no_answer_are_what_is_rejected():
    late = DeadlineExceededError("300 s")
    executor = ScriptedExecutor(late, Verdict.ACCEPTED, late)
    with pytest.raises(UnusableProblemError, match="answers others, but not its programs: 300 s"):
        await verifier(executor, patience_s=0).run(programs(7))
    assert executor.batches == [7, 1, 7]


async def test_an_executor_whose_sandbox_fails_at_everything_is_lost():
    executor = ScriptedExecutor(UnreachableError("away"), Verdict.INTERNAL_ERROR)
    with pytest.raises(ExecutorLostError):
        await verifier(executor, patience_s=0).run(programs(1))


async def test_a_chunk_that_the_executors_queue_can_never_hold_is_halved():
    too_large = RequestError(413, "batch_too_large", "send at most 2")
    executor = ScriptedExecutor(too_large, too_large)
    assert len(await verifier(executor).run(programs(5))) == 5
    assert executor.batches == [5, 2, 1, 1, 3]
    with pytest.raises(UnusableProblemError, match="send at most 2"):
        await verifier(ScriptedExecutor(too_large)).run(programs(1))


async def test_an_executor_that_refuses_the_labeler_itself_is_lost():
    with pytest.raises(ExecutorLostError, match="no such key"):
        await verifier(ScriptedExecutor(RequestError(401, "unauthorized", "no such key"))).run(programs(1))
