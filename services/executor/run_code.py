"""`/run_code` in a sandbox: SandboxFusion's request as a session, and how it ended as SandboxFusion's reply.

The program's end decides, as its clients expect: exit code 0 is `Success`, and whether the output is right is theirs to
say. `pytest` is a program too: one that gives the code to the real pytest, which runs in the sandbox.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace

from services.contracts import CommandResult, CommandStatus, RunCodeReply, RunCodeRequest, RunStatus
from services.executor.run_files import decode_files, plain_paths
from services.executor.sandbox import Bounds, Cause, Ending, Failure, Phase, Report, Sandbox, Session, Usage
from services.executor.settings import MEBIBYTE, ExecutorSettings
from services.kit.errors import BadRequestError

_LANGUAGES = ("python", "pytest")
_PYTEST = """\
import os
import sys

import pytest

os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
sys.exit(pytest.main({arguments!r}))
"""
"""Without the plugins that this server's own environment happens to have; `-p NAME` among `args` loads one."""
_SPARE_S = 8.0
"""verl waits `compile_timeout + run_timeout + 10` seconds for a reply, and takes none for a failed program."""
_TIME_IS_UP = (Cause.WALL, Cause.CPU)


@dataclass(frozen=True, slots=True)
class RunPlan:
    """A session, the seconds that it may wait, and the names by which the request wants the files that it leaves."""

    session: Session
    start_within_s: float
    fetched_as: Mapping[str, str]
    pod_name: str | None

    def run(self, sandbox: Sandbox, bounds: Bounds) -> RunCodeReply:
        """Run the program within `bounds` and say how it ended.

        Raises:
            SandboxError: the sandbox failed, and nothing can be said of the program.
        """
        reports: list[Report] = []

        def keep_on(report: Report) -> bool:
            reports.append(report)
            return True

        ending = sandbox.run(replace(self.session, bounds=bounds), keep_on)
        report = reports[0] if reports else None
        result = _result(ending, report)
        fetched = {name: ending.files[path] for name, path in self.fetched_as.items() if path in ending.files}
        return RunCodeReply(
            status=RunStatus.SUCCESS if result.return_code == 0 else RunStatus.FAILED,
            message=_message(ending, report, bounds),
            run_result=result,
            executor_pod_name=self.pod_name,
            files={name: base64.b64encode(content).decode() for name, content in fetched.items()},
        )


def plan_run(request: RunCodeRequest, settings: ExecutorSettings) -> RunPlan:
    """What is to be run for `request`.

    Raises:
        BadRequestError: another language than `python` and `pytest`, a limit above the server's maximum, a bad path or
            content. (SandboxFusion has other languages, and 422 for a name that it does not know. A 400 is in its
            clients' logs; its `SandboxError` would pass for a program that failed.)
        TooLargeError: the files do not fit into a program's folder.
    """
    if request.language not in _LANGUAGES:
        message = f"this server runs {' and '.join(_LANGUAGES)}, not {request.language!r}"
        raise BadRequestError("unsupported_language", message, details={"path": "language"})
    code, files = request.code, decode_files(request.files, settings.folder_bytes)
    if request.language == "pytest":
        code, files = _pytest_program(request, files)
    fetched_as = plain_paths(request.fetch_files, "fetch_files")
    session = Session(
        code,
        (),
        _bounds(request, settings),
        stdin=request.stdin or "",
        files=files,
        fetch=tuple(dict.fromkeys(fetched_as.values())),
    )
    start_within_s = min(settings.run_code_queue_wait_s, request.compile_timeout + _SPARE_S)
    return RunPlan(session, start_within_s, fetched_as, settings.pod_name)


def _pytest_program(request: RunCodeRequest, files: Mapping[str, bytes]) -> tuple[str, dict[str, bytes]]:
    """The program that gives the tests to pytest, and the files with the tests among them."""
    name = "test_program.py"
    while name in files:
        name = f"test_{name}"
    arguments = ["-p", "no:cacheprovider", name, *request.args]
    return _PYTEST.format(arguments=arguments), {**files, name: request.code.encode()}


def _bounds(request: RunCodeRequest, settings: ExecutorSettings) -> Bounds:
    """The request's limits; what it names none for has the server's default, and processor time follows wall time."""
    memory_bytes = min(settings.default_memory_bytes, settings.max_memory_bytes)
    if request.memory_limit_MB > 0:
        memory_bytes = request.memory_limit_MB * MEBIBYTE
    _refuse_above("run_timeout", request.run_timeout, settings.max_wall_s)
    _refuse_above("memory_limit_MB", memory_bytes // MEBIBYTE, settings.max_memory_bytes // MEBIBYTE)
    return Bounds(
        wall_s=request.run_timeout,
        cpu_s=settings.max_cpu_s,
        memory_bytes=memory_bytes,
        output_bytes=min(settings.run_code_output_bytes, settings.max_output_bytes),
        file_bytes=min(settings.default_file_bytes, settings.max_file_bytes),
        processes=min(settings.default_processes, settings.max_processes),
    )


def _refuse_above(name: str, asked: float, most: float) -> None:
    if asked > most:
        message = f"{name} is {asked}, this server allows {most}"
        raise BadRequestError("limit_too_high", message, details={"path": name, "maximum": most})


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
        return f"the program ran out of memory ({bounds.memory_bytes // MEBIBYTE} MiB)"
    return ""
