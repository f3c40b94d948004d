"""One program inside its child process: compile it, run it, answer for each test, never say whether that was right.

A job (`Job`) comes marshalled, from the service. A script, one a test, is a row of steps: `("run", code)` executes
statements, `("value", code)` sends what an expression comes to, `("truth", code)` its truth; what did not compile comes
as source, to fail in here. Each report is a line: the secret, and JSON. The secret keeps a program that writes to the
descriptor from being believed; it is an obstacle and not a wall, since both share a process. Little rests on it: what
a test expects is not here, unless the test itself had to be trusted to run here.
"""

import atexit
import builtins
import json
import marshal
import os
import resource
import sys
import time
from types import CodeType, ModuleType, TracebackType
from typing import Any, NoReturn, TypedDict

from services.executor.inside.confine import REPORTS_FD, Bounds, Walls, confine
from services.executor.values import Encoded, encode

MEMORY_EXIT, CONFINE_EXIT = 86, 87
_CHUNK_BYTES = 1 << 16
_PROGRAM, _TEST = "<program>", "<test>"
_MESSAGE_CHARACTERS = 1000
_REHEARSALS = 20
_STREAMS = (sys.stdout, sys.stderr)
_exit, _write = os._exit, os.write
_dump = json.JSONEncoder(check_circular=False).encode
_wall_clock, _cpu_clock, _usage = time.monotonic, time.process_time, resource.getrusage

Failure = tuple[str, str, int | None, str]
"""Type, message, line in the submitted code, and kind: `assertion`, `memory` or `other`."""


class Job(TypedDict):
    """What a child is to do; with `stdin` it runs the code as `__main__`, else it follows the scripts."""

    bounds: Bounds
    secret: str
    mark: str
    code: str
    stdin: bytes | None
    scripts: tuple[tuple[tuple[str, CodeType | str], ...], ...]


def _rehearsal() -> Job:
    """A job of tests such as there are most of."""
    steps = [
        ("value", "f(1)"),
        ("value", "f('a')"),
        ("value", "[1, 'a', 1.5, (2,), {3: None}, {'b'}]"),
        ("truth", "f(True)"),
        ("run", "import math"),
    ]
    return {
        "bounds": {"cpu_s": 0, "memory_bytes": 0, "file_bytes": 0, "processes": 0},
        "secret": "",
        "mark": "",
        "code": "def f(x):\n    return [x]\n",
        "stdin": None,
        "scripts": tuple(((kind, compile_step(kind, source)),) for kind, source in steps),
    }


class _Quitter:
    """The `exit` and `quit` that the site module would have added."""

    def __call__(self, code: object = None) -> NoReturn:
        raise SystemExit(code)


def warm_up() -> None:
    """Do in the zygote what every child will do, until no code of it changes any more; forget where it came from.

    CPython rewrites a function's code in its first calls, for the types that it meets; a child that did that would copy
    every page of it. Descriptors 0 to 3 lead nowhere here.
    """
    for name in [name for name in sys.modules if name.partition(".")[0] == "services"]:
        del sys.modules[name]
    for name in ("exit", "quit"):
        setattr(builtins, name, _Quitter())
    rehearsal = _rehearsal()
    for _ in range(_REHEARSALS):
        _run(rehearsal)
    sys.argv = ["program"]
    os.environ.clear()


def enter(streams: tuple[int, int, int, int], walls: Walls) -> NoReturn:
    """Become the child: take the streams (job, stdout, stderr, reports), wait for the job, accept its bounds, do it."""
    status = CONFINE_EXIT
    try:
        os.setsid()  # signals to a group know no namespaces: its own is not the one of the zygote and the child ahead
        if (job := _take(streams, walls)) is None:
            _exit(0)
        if job["stdin"] is not None:
            os.dup2(_nameless_file(job["stdin"]), 0)
        confine(job["bounds"], walls)
        status = 1
        status = _run(job)
    except MemoryError:
        status = MEMORY_EXIT
    finally:
        _exit(status)


def _take(streams: tuple[int, int, int, int], walls: Walls) -> Job | None:
    """Put the streams where they belong, close all else but the rules, and wait for the job; None where none comes.

    What is left at descriptor 0 is the job's pipe, read to its end: a program that reads its input finds none.
    """
    for target, stream in enumerate(streams):
        os.dup2(stream, target, inheritable=target != REPORTS_FD)
    for lowest, highest in walls.closed:
        os.closerange(lowest, highest + 1)
    parts = []
    while part := os.read(0, _CHUNK_BYTES):
        parts.append(part)
    return marshal.loads(b"".join(parts)) if parts else None  # noqa: S302 (the service's words, before any program's)


def _nameless_file(content: bytes) -> int:
    """A descriptor of a file in the program's folder that has lost its name."""
    name = os.urandom(16).hex()
    descriptor = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    os.unlink(name)  # noqa: PTH108 (no more modules than needed here)
    view = memoryview(content)
    while view:
        view = view[_write(descriptor, view) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _run(job: Job) -> int:
    """Run the job and report; the exit status, which proves nothing to anybody."""
    reporter = _Reporter(job["secret"], job["mark"])
    try:
        code = compile(job["code"], _PROGRAM, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError) as error:
        reporter.send(["compile", _describe(error)])
        return 0
    reporter.send(["compiled"])
    if job["stdin"] is not None:
        return _run_as_main(code, reporter)
    return _run_scripts(code, job["scripts"], reporter)


def _run_scripts(
    code: CodeType, scripts: tuple[tuple[tuple[str, CodeType | str], ...], ...], reporter: "_Reporter"
) -> int:
    namespace = _open_module("program")
    try:
        exec(code, namespace)  # noqa: S102 (running code is what this process is for)
    except BaseException as error:
        reporter.send(["load", _describe(error)])
        return 0
    reporter.begin_tests()
    for number, script in enumerate(scripts):
        values: list[Encoded] = []
        failure = _follow(script, namespace, values)
        reporter.end_test(number, values, failure)
        if failure is not None and failure[3] == "memory":
            break
    return 0


def compile_step(kind: str, source: str) -> CodeType:
    """The code of a step; raises what `compile` raises."""
    return compile(source, _TEST, "exec" if kind == "run" else "eval", dont_inherit=True)


def _follow(
    script: tuple[tuple[str, CodeType | str], ...], namespace: dict[str, Any], values: list[Encoded]
) -> Failure | None:
    """Take one test's steps; what they come to is added to `values`, up to the first that raises."""
    try:
        for kind, code in script:
            if isinstance(code, str):
                code = compile_step(kind, code)
            value = eval(code, namespace)  # noqa: S307
            if kind != "run":
                values.append(encode(value) if kind == "value" else bool(value))
    except BaseException as error:
        return _describe(error)
    return None


def _run_as_main(code: CodeType, reporter: "_Reporter") -> int:
    failure, status = None, 0
    sys.path.insert(0, os.getcwd())  # noqa: PTH109
    try:
        exec(code, _open_module("__main__"))  # noqa: S102
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
        failure = _describe(error) if status else None
        if error.code is not None and not isinstance(error.code, int):
            print(error.code, file=sys.stderr)  # noqa: T201
    except BaseException as error:
        failure, status = _describe(error), 1
        _show(error)
    _leave_as_python_does()
    reporter.end_test(0, [], failure)
    return status & 0xFF


def _show(error: BaseException) -> None:
    """Print the traceback as Python does, from the program's own frames on."""
    error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
    try:
        sys.excepthook(type(error), error, error.__traceback__)
    except BaseException:
        return


def _leave_as_python_does() -> None:
    """Wait for the threads of the program, then call what it registered with `atexit`."""
    if "threading" in sys.modules:
        sys.modules["threading"]._shutdown()
    atexit._run_exitfuncs()


def _open_module(name: str) -> dict[str, Any]:
    """The namespace of a fresh module, which takes the place of `__main__` too: the zygote's is nobody's business."""
    module = ModuleType(name)
    module.__dict__["__builtins__"] = builtins
    sys.modules[name] = sys.modules["__main__"] = module
    return module.__dict__


class _Reporter:
    """Writes reports, and marks in both output streams where a test ends."""

    def __init__(self, secret: str, mark: str) -> None:
        self._secret, self._mark = secret.encode(), mark.encode()
        self._wall, self._cpu = _wall_clock(), _cpu_clock()

    def send(self, report: list[Any]) -> None:
        line = b"\n%b%b\n" % (self._secret, _dump(report).encode())
        while line:
            line = line[_write(REPORTS_FD, line) :]

    def begin_tests(self) -> None:
        self.send(["loaded"])
        self._wall, self._cpu = _wall_clock(), _cpu_clock()

    def end_test(self, number: int, values: list[Encoded], failure: Failure | None) -> None:
        for descriptor, stream in enumerate(_STREAMS, start=1):
            try:
                stream.flush()
                _write(descriptor, self._mark)
            except (OSError, ValueError):
                continue
        wall, cpu = _wall_clock(), _cpu_clock()
        peak = _usage(resource.RUSAGE_SELF).ru_maxrss * 1024
        self.send(["test", number, values, failure, wall - self._wall, cpu - self._cpu, peak])
        self._wall, self._cpu = wall, cpu


def _describe(error: BaseException) -> Failure:
    line = _line_in_program(error.__traceback__)
    kind = "other"
    if isinstance(error, MemoryError):
        kind = "memory"
    elif isinstance(error, AssertionError) and line is None:
        kind = "assertion"
    elif isinstance(error, SyntaxError) and error.filename == _PROGRAM:
        line = error.lineno
    try:
        message = str(error)[:_MESSAGE_CHARACTERS]
    except BaseException:
        message = ""
    return type(error).__name__, message, line, kind


def _line_in_program(traceback: TracebackType | None) -> int | None:
    """The deepest line of the submitted code that was being executed."""
    line = None
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == _PROGRAM:
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return line
