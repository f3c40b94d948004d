"""Compares outside what a child computed inside; the only place where a test is found to be passed.

A test is accepted when every value that it needs has come, every check on them holds, and nothing was raised. That a
process ended well proves nothing, and no child says of itself that it passed.
"""

from collections.abc import Sequence
from typing import Any

from services.contracts import ProgramError, Verdict
from services.executor.inside.program import MEMORY_EXIT
from services.executor.plans import Check, Plan
from services.executor.sandbox import Cause, Ending, Failure, Phase, Report
from services.executor.values import MalformedError, decode

Judgement = tuple[Verdict, ProgramError | None]

_KILLED_FOR = {
    Cause.WALL: Verdict.TIME_LIMIT_EXCEEDED,
    Cause.CPU: Verdict.TIME_LIMIT_EXCEEDED,
    Cause.OUTPUT: Verdict.OUTPUT_LIMIT_EXCEEDED,
}


def judge_plan(plan: Plan, report: Report) -> Judgement:
    """Judge a test that was split: checks first, in order, then the exception that ended it."""
    if report.usage.truncated:
        return Verdict.OUTPUT_LIMIT_EXCEEDED, None
    try:
        values = [decode(value) for value in report.values]
    except MalformedError:
        return Verdict.WRONG_ANSWER, None
    for check in plan.checks:
        if check.needs <= len(values) and (judgement := _apply(check, values)):
            return judgement
    if report.failure is not None:
        return judge_failure(report.failure)
    return (Verdict.ACCEPTED if len(values) == plan.values else Verdict.WRONG_ANSWER), None


def judge_stdout(expected: str, report: Report) -> Judgement:
    """Judge a program that was run whole, by what it printed."""
    if report.usage.truncated:
        return Verdict.OUTPUT_LIMIT_EXCEEDED, None
    if report.failure is not None:
        return judge_failure(report.failure)
    same = _without_trailing_space(report.usage.stdout) == _without_trailing_space(expected)
    return (Verdict.ACCEPTED if same else Verdict.WRONG_ANSWER), None


def judge_failure(failure: Failure) -> Judgement:
    """An exception inside: a failed assert of the test is a wrong answer, all else is the program's failure."""
    error = ProgramError(type=failure.type, message=failure.message, line=failure.line)
    if failure.kind == "memory":
        return Verdict.MEMORY_LIMIT_EXCEEDED, error
    return (Verdict.WRONG_ANSWER if failure.kind == "assertion" else Verdict.RUNTIME_ERROR), error


def judge_ending(ending: Ending, cpu_limit_s: float) -> Judgement:
    """Judge a test that was under way when its process ended; never accepted."""
    if ending.cause in _KILLED_FOR:
        return _KILLED_FOR[ending.cause], None
    if ending.usage.truncated:
        return Verdict.OUTPUT_LIMIT_EXCEEDED, None
    if ending.phase is Phase.COMPILE:
        failure = ending.failure
        if failure is None:
            return Verdict.COMPILE_ERROR, _unreported(ending)
        return Verdict.COMPILE_ERROR, ProgramError(type=failure.type, message=failure.message, line=failure.line)
    if ending.failure is not None:
        return judge_failure(ending.failure)
    if ending.status == MEMORY_EXIT:
        return Verdict.MEMORY_LIMIT_EXCEEDED, None
    if ending.signal_name == "SIGXCPU" or (ending.signal_name == "SIGKILL" and _spent(ending, cpu_limit_s)):
        return Verdict.TIME_LIMIT_EXCEEDED, None
    return Verdict.RUNTIME_ERROR, _unreported(ending)


def _apply(check: Check, values: Sequence[Any]) -> Judgement | None:
    try:
        return None if check.holds(values) else (Verdict.WRONG_ANSWER, None)
    except (ArithmeticError, TypeError, ValueError, LookupError, RecursionError) as error:
        return Verdict.RUNTIME_ERROR, ProgramError(type=type(error).__name__, message=str(error))


def _spent(ending: Ending, cpu_limit_s: float) -> bool:
    return ending.usage.cpu_s is not None and ending.usage.cpu_s >= cpu_limit_s


def _unreported(ending: Ending) -> ProgramError:
    if ending.signal_name:
        return ProgramError(type=ending.signal_name, message="the process was killed by a signal")
    message = f"the process ended with exit code {ending.status} before the test did"
    return ProgramError(type="SystemExit", message=message)


def _without_trailing_space(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().split("\n")]
