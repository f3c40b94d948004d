"""What `/run_code` is asked for, SandboxFusion's request, as a plan of what to run.

`pytest` is a program too: one that gives the code to the real pytest, which runs in the sandbox.
"""

from collections.abc import Mapping

from services.contracts import RunCodeRequest
from services.executor.run_files import decode_files, plain_paths
from services.executor.run_plans import RunPlan
from services.executor.sandbox import Bounds, Session
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
