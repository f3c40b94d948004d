"""Rewards over the network: scores by `POST /score/batch`, verdicts by `POST /execute/batch`.

The clients live on an event loop in a thread of its own, so calls run while the trainer computes. They retry by
themselves; what they cannot get in the end is None: our failure is never a reward. A program that a service refuses
(too long for its model, say) is None, too, and spoils no other of its batch. Settings that can never work (a wrong
key, an unknown model) raise. A program without a code step is not sent to the scorer: it has no step to score.
"""

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Self

from services.client import ExecutorClient, ScorerClient
from services.client.rewards.asking import ask_all
from services.contracts import (
    ExecuteReply,
    ExecuteRequest,
    ScoreReply,
    ScoreRequest,
    Segment,
    StepKind,
    Verdict,
    split_steps,
)
from services.tracing import span
from trainer.judging import Program
from trainer.reward_forms import Judgement, RewardKind, StepScore, needs_scores, needs_verdicts


class RemoteRewards:
    """A `RewardSource` that asks the scorer, the executor or both, as the kind of reward needs; a context manager.

    The URLs and the key default to the environment's (`LINEWISE_SCORER_URL`, ...). `timeout_s` bounds one request, its
    retries included. `every_test`: run the tests behind the first failure, too, for the share that passes.
    """

    def __init__(
        self,
        kind: RewardKind,
        *,
        scorer_url: str | None = None,
        executor_url: str | None = None,
        model: str | None = None,
        segment: Segment = Segment.LINE,
        every_test: bool = False,
        timeout_s: float = 120.0,
    ) -> None:
        self._scorer = ScorerClient(scorer_url, timeout_s=timeout_s) if needs_scores(kind) else None
        self._executor = ExecutorClient(executor_url, timeout_s=timeout_s) if needs_verdicts(kind) else None
        self._every_test = every_test
        self._model = model
        self._segment = segment
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="rewards", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections and end the thread."""
        asyncio.run_coroutine_threadsafe(self._aclose(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def judge(self, programs: Sequence[Program]) -> Future[list[Judgement | None]]:
        """See `RewardSource`. The future raises RequestError where no request could ever succeed."""
        return asyncio.run_coroutine_threadsafe(self._judge(list(programs)), self._loop)

    async def _judge(self, programs: list[Program]) -> list[Judgement | None]:
        with span("judge", programs=len(programs)):
            scores, executions = await asyncio.gather(self._scores(programs), self._executions(programs))
        return [self._judgement(*pair) for pair in zip(scores, executions, strict=True)]

    def _judgement(self, steps: tuple[StepScore, ...] | None, execution: ExecuteReply | None) -> Judgement | None:
        """None where something that was asked for is missing."""
        if self._scorer is not None and steps is None:
            return None
        if self._executor is None:
            return Judgement(steps)
        if execution is None or execution.verdict is Verdict.INTERNAL_ERROR:
            return None
        passed = execution.passed / execution.total if self._every_test and execution.total else None
        return Judgement(steps, execution.verdict, passed)

    async def _scores(self, programs: list[Program]) -> list[tuple[StepScore, ...] | None]:
        if self._scorer is None:
            return [None] * len(programs)
        asked = [program for program in programs if self._has_code_step(program)]
        replies = await ask_all(self._scorer.score_batch, [self._score_request(program) for program in asked])
        scores = iter([_step_scores(reply) for reply in replies])
        return [next(scores) if self._has_code_step(program) else () for program in programs]

    async def _executions(self, programs: list[Program]) -> list[ExecuteReply | None]:
        if self._executor is None:
            return [None] * len(programs)
        requests = [_execute_request(program, every_test=self._every_test) for program in programs]
        return await ask_all(self._executor.execute_batch, requests)

    def _has_code_step(self, program: Program) -> bool:
        return any(step.kind is StepKind.CODE for step in split_steps(program.code, self._segment))

    def _score_request(self, program: Program) -> ScoreRequest:
        return ScoreRequest(
            prompt=program.problem.prompt,
            code=program.code,
            segment=self._segment,
            model=self._model,
            truncate="prompt",
        )

    async def _aclose(self) -> None:
        for client in (self._scorer, self._executor):
            if client is not None:
                await client.aclose()


def _execute_request(program: Program, *, every_test: bool) -> ExecuteRequest:
    problem = program.problem
    return ExecuteRequest(
        code=program.code, tests=problem.tests, setup=problem.setup, stop_at_first_failure=not every_test
    )


def _step_scores(reply: ScoreReply | None) -> tuple[StepScore, ...] | None:
    if reply is None:
        return None
    return tuple(StepScore(step.end, step.score) for step in reply.steps if step.score is not None)
