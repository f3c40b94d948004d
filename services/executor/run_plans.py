"""A program of `/run_code` in a sandbox, and how it ended as SandboxFusion's reply.

The program's end decides, as its clients expect: exit code 0 is `Success`, and whether the output is right is theirs to
say.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace

from services.contracts import CommandResult, CommandStatus, RunCodeReply, RunStatus
from services.executor.sandbox import Bounds, Cause, Ending, Failure, Phase, Report, Sandbox, Session, Usage

_MEBIBYTE = 1024 * 1024
_TIME_IS_UP = (Cause.WALL, Cause.CPU)


@dataclass(frozen=True, slots=True)
class RunPlan:
    """A session, the seconds that it may wait, and the names by which the request wants the files that it leaves."""

    session: Session
    start_within_s: float
    fetched_as: Mapping[str, str]
    pod_name: str | None

    def within(self, bounds: Bounds) -> "RunPlan":
        """The same within other bounds."""
        return replace(self, session=replace(self.session, bounds=bounds))

    def run(self, sandbox: Sandbox) -> RunCodeReply:
        """Run the program and say how it ended.

        Raises:
            SandboxError: the sandbox failed, and nothing can be said of the program.
        """
        reports: list[Report] = []

        def keep_on(report: Report) -> bool:
            reports.append(report)
            return True

        ending = sandbox.run(self.session, keep_on)
        report = reports[0] if reports else None
        result = _result(ending, report)
        fetched = {name: ending.files[path] for name, path in self.fetched_as.items() if path in ending.files}
        return RunCodeReply(
            status=RunStatus.SUCCESS if result.return_code == 0 else RunStatus.FAILED,
            message=_message(ending, report, self.session.bounds),
            run_result=result,
            executor_pod_name=self.pod_name,
            files={name: base64.b64encode(content).decode() for name, content in fetched.items()},
        )


def _result(ending: Ending, report: Report | None) -> CommandResult:
    usage = report.usage if report else ending.usage
    status, return_code = CommandStatus.FINISHED, None
    if ending.cause is Cause.OUTPUT:
        status = CommandStatus.ERROR
    elif ending.cause in _TIME_IS_UP:
        status = CommandStatus.TIME_LIMIT_EXCEEDED
    else:
        return_code = _return_code(ending, report)
    return CommandResult(
        status=status,
        execution_time=usage.wall_s,
        return_code=return_code,
        stdout=usage.stdout,
        stderr=_stderr(ending, usage),
    )


def _return_code(ending: Ending, report: Report | None) -> int:
    """The exit code; of a program that ended and was then stopped, since its output was cut, the one it left with."""
    if ending.phase is Phase.COMPILE and ending.status == 0:
        return 1
    if ending.cause is Cause.STOPPED:
        return _left_with(report.failure if report else None)
    return ending.status


def _left_with(failure: Failure | None) -> int:
    if failure is None:
        return 0
    if failure.type == "SystemExit" and failure.message.removeprefix("-").isdecimal():
        return int(failure.message) & 0xFF
    return 1


def _stderr(ending: Ending, usage: Usage) -> str:
    """What was printed; if that is nothing and the code does not compile, the last lines that Python would print."""
    failure = ending.failure
    if usage.stderr or failure is None or ending.phase is not Phase.COMPILE:
        return usage.stderr
    place = "" if failure.line is None else f'  File "<program>", line {failure.line}\n'
    return f"{place}{failure.type}: {failure.message}\n"


def _message(ending: Ending, report: Report | None, bounds: Bounds) -> str:
    if ending.cause is Cause.OUTPUT:
        return f"killed for printing more than {bounds.output_bytes} bytes; stdout and stderr hold what came before"
    if (report.usage if report else ending.usage).truncated:
        return f"the output was cut at {bounds.output_bytes} bytes"
    if ending.out_of_memory or (report and report.failure and report.failure.kind == "memory"):
        return f"the program ran out of memory ({bounds.memory_bytes // _MEBIBYTE} MiB)"
    return ""
