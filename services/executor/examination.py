"""One program before all its tests: which of them share a process, and what each came to.

Tests that call the program share one child. Where it dies in a test, those behind get a fresh one, so each has an
honest verdict; a program that is run whole (`stdio`) has a child for each test.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile

from services.contracts import (
    Assurance,
    CallTest,
    ExecuteReply,
    ExecuteRequest,
    StdioTest,
    TestCase,
    TestResult,
    Verdict,
)
from services.executor.judge import Judgement, judge_ending, judge_plan, judge_stdout
from services.executor.parsing import parse_literal
from services.executor.sandbox import Bounds, Cause, Ending, Phase, Report, Sandbox, Session, Step, Usage
from services.executor.splitter import split_assert, split_call


@dataclass(frozen=True, slots=True)
class _Question:
    """A test as it is put to a child: a script, or standard input for the whole program."""

    assurance: Assurance
    judge: Callable[[Report], Judgement]
    script: tuple[Step, ...] = ()
    stdin: str | None = None


def examine(
    request: ExecuteRequest, bounds: Bounds, sandbox: Sandbox, is_abandoned: Callable[[], bool] = lambda: False
) -> ExecuteReply:
    """Run and judge one program; with no tests it is accepted where it runs to its end.

    Between tests `is_abandoned` is asked whether anybody still wants to know; the tests behind are then left out.

    Raises:
        SandboxError: the sandbox failed, and the program has no verdict.
    """
    started = time.monotonic()
    examination = _Examination(request, bounds, sandbox, is_abandoned)
    verdict = examination.run()
    results = examination.results
    return ExecuteReply(
        verdict=verdict,
        passed=sum(result.verdict is Verdict.ACCEPTED for result in results),
        total=len(request.tests),
        wall_s=time.monotonic() - started,
        isolation=sandbox.isolation,
        tests=results,
    )


class _Examination:
    def __init__(
        self, request: ExecuteRequest, bounds: Bounds, sandbox: Sandbox, is_abandoned: Callable[[], bool]
    ) -> None:
        self._request = request
        self._bounds = bounds
        self._sandbox = sandbox
        self._is_abandoned = is_abandoned
        self._questions = [_question(test, request.setup) for test in request.tests]
        self.results: list[TestResult] = []

    def run(self) -> Verdict:
        """Fill `results`; the program's verdict."""
        if not self._questions:
            ending = self._sandbox.run(Session(self._request.code, (), self._bounds), lambda _: True)
            loaded = ending.phase is Phase.TESTS and ending.status == 0
            return Verdict.ACCEPTED if loaded else judge_ending(ending, self._bounds.cpu_s)[0]
        while len(self.results) < len(self._questions) and self._wants_more():
            self._run_session(self._next_group())
        failed = (result.verdict for result in self.results if result.verdict is not Verdict.ACCEPTED)
        return next(failed, Verdict.ACCEPTED)

    def _wants_more(self) -> bool:
        if self._is_abandoned():
            return False
        passing = not self.results or self.results[-1].verdict is Verdict.ACCEPTED
        return passing or not self._request.stop_at_first_failure

    def _next_group(self) -> list[_Question]:
        """The next test, and those behind it that can share its process."""
        rest = self._questions[len(self.results) :]
        return list(takewhile(lambda question: question.stdin is None, rest)) or rest[:1]

    def _run_session(self, group: list[_Question]) -> None:
        first = len(self.results)
        scripts = tuple(question.script for question in group if question.stdin is None)
        session = Session(self._request.code, scripts, self._bounds, stdin=group[0].stdin)

        def keep_on(report: Report) -> bool:
            question = group[len(self.results) - first]
            self._add(question, question.judge(report), report.usage)
            return self._wants_more()

        ending = self._sandbox.run(session, keep_on)
        reported = len(self.results) - first
        if ending.phase is not Phase.TESTS:
            unrun = self._questions[first:] if ending.phase is Phase.COMPILE else group
            self._add_all(unrun, ending)
        elif reported < len(group) and not self._ended_on_purpose(ending, reported):
            self._add(group[reported], self._judge_ending(group[reported], ending), ending.usage)

    def _ended_on_purpose(self, ending: Ending, reported: int) -> bool:
        """True where the child was stopped between tests, or left one because memory had run out in the last."""
        out_of_memory = reported > 0 and self.results[-1].verdict is Verdict.MEMORY_LIMIT_EXCEEDED
        return ending.cause is Cause.STOPPED or (out_of_memory and ending.cause is Cause.EXIT)

    def _judge_ending(self, question: _Question, ending: Ending) -> Judgement:
        """A program run whole may leave by `os._exit`: what it printed counts all the same."""
        if question.stdin is not None and ending.cause is Cause.EXIT and ending.status == 0:
            return question.judge(Report((), None, ending.usage))
        return judge_ending(ending, self._bounds.cpu_s)

    def _add_all(self, questions: list[_Question], ending: Ending) -> None:
        judgement = judge_ending(ending, self._bounds.cpu_s)
        for at, question in enumerate(questions):
            self._add(question, judgement, ending.usage if at == 0 else None)
            if not self._wants_more():
                return

    def _add(self, question: _Question, judgement: Judgement, usage: Usage | None) -> None:
        verdict, error = judgement
        if usage is None:
            result = TestResult(verdict=verdict, assurance=question.assurance, error=error)
        else:
            result = TestResult(
                verdict=verdict,
                assurance=question.assurance,
                wall_s=usage.wall_s,
                cpu_s=usage.cpu_s,
                memory_bytes=usage.memory_bytes,
                stdout=usage.stdout,
                stderr=usage.stderr,
                truncated=usage.truncated,
                error=error,
            )
        self.results.append(result)


def _question(test: TestCase, setup: str) -> _Question:
    before: tuple[Step, ...] = (("run", setup),) if setup.strip() else ()
    match test:
        case StdioTest():
            expected = test.expected_stdout
            return _Question(Assurance.HIGH, lambda report: judge_stdout(expected, report), stdin=test.stdin)
        case CallTest():
            plan = split_call(_call_source(test), _expected(test))
        case _:
            plan = split_assert(test.code, setup)
    return _Question(plan.assurance, lambda report: judge_plan(plan, report), script=(*before, *plan.steps))


def _call_source(test: CallTest) -> str:
    arguments = test.args_literal if test.args_literal is not None else repr(test.args or [])
    return f"({test.function})(*{arguments}, **{test.kwargs!r})"


def _expected(test: CallTest) -> object:
    """The value as JSON gave it, or the one that the literal stands for.

    Raises:
        ValueError: it is no literal (`services.executor.requests` refuses such a test beforehand).
    """
    return test.expected if test.expected_literal is None else parse_literal(test.expected_literal)
