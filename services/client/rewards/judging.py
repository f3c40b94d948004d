"""Programs judged by the services that a form of reward needs: `POST /score/batch` and `POST /execute/batch`."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from services.client.executor import ExecutorClient
from services.client.retry import RetryPolicy
from services.client.rewards.asking import ask_all
from services.client.rewards.form import RewardForm, outcome
from services.client.scorer import ScorerClient
from services.contracts import ExecuteRequest, ScoreRequest, TestCase


@dataclass(frozen=True, slots=True)
class Program:
    """A program to reward; `setup` is run behind it and before each of its `tests`."""

    prompt: str
    code: str
    tests: Sequence[TestCase] = ()
    setup: str = ""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the services say of a program; None where it was not asked for, or where there was no answer."""

    process: float | None = None
    outcome: float | None = None


@dataclass(frozen=True, slots=True)
class Services:
    """Where the services are; the defaults are the environment's. `timeout_s` bounds a request with its retries."""

    scorer_url: str | None = None
    executor_url: str | None = None
    api_key: str | None = None
    timeout_s: float = 120.0
    retry: RetryPolicy | None = None

    def scorer(self) -> ScorerClient:
        """A client of the scorer; it belongs to the event loop that it is first used on."""
        return ScorerClient(self.scorer_url, api_key=self.api_key, timeout_s=self.timeout_s, retry=self.retry)

    def executor(self) -> ExecutorClient:
        """A client of the executor."""
        return ExecutorClient(self.executor_url, api_key=self.api_key, timeout_s=self.timeout_s, retry=self.retry)

    @asynccontextmanager
    async def open(self, form: RewardForm) -> AsyncIterator["Judge"]:
        """A judge with the connections that `form` needs, closed at the end."""
        async with AsyncExitStack() as stack:
            scorer = await stack.enter_async_context(self.scorer()) if form.wants_scores else None
            executor = await stack.enter_async_context(self.executor()) if form.wants_verdict else None
            yield Judge(form, scorer, executor)


@dataclass(frozen=True, slots=True)
class Judge:
    """Asks for many programs at once."""

    form: RewardForm
    scorer: ScorerClient | None
    executor: ExecutorClient | None

    async def judge(self, programs: Sequence[Program]) -> list[Parts]:
        """The parts of each program's reward, in order.

        Raises:
            RequestError: no request could ever succeed (a wrong key, an unknown model).
        """
        processes, outcomes = await asyncio.gather(self._processes(programs), self._outcomes(programs))
        return [Parts(*pair) for pair in zip(processes, outcomes, strict=True)]

    async def _processes(self, programs: Sequence[Program]) -> list[float | None]:
        if self.scorer is None:
            return [None] * len(programs)
        asked = [program for program in programs if self.form.has_step(program.code)]
        replies = await ask_all(self.scorer.score_batch, [score_request(program, self.form) for program in asked])
        scores = iter([None if reply is None else self.form.process(reply) for reply in replies])
        return [next(scores) if self.form.has_step(program.code) else 0.0 for program in programs]

    async def _outcomes(self, programs: Sequence[Program]) -> list[float | None]:
        """A program without tests has no outcome."""
        if self.executor is None:
            return [None] * len(programs)
        requests = [execute_request(program) for program in programs if program.tests]
        replies = await ask_all(self.executor.execute_batch, requests)
        verdicts = iter([outcome(reply.verdict if reply else None) for reply in replies])
        return [next(verdicts) if program.tests else None for program in programs]


def score_request(program: Program, form: RewardForm) -> ScoreRequest:
    """What the scorer is asked about a program."""
    return ScoreRequest(
        prompt=program.prompt, code=program.code, segment=form.segment, model=form.model, truncate=form.truncate
    )


def execute_request(program: Program) -> ExecuteRequest:
    """What the executor is asked about a program."""
    return ExecuteRequest(code=program.code, tests=list(program.tests), setup=program.setup, stop_at_first_failure=True)
