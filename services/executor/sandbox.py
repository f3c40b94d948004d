"""What a sandbox is: a place that runs one program at a time and tells how that went, without judging it.

`services.executor.forkserver` is the one that serves; another wall needs these few names and nothing else.
"""

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

Step = tuple[str, str]
"""What a child does: `("run", statements)`, `("value", expression)` or `("truth", expression)`."""


class SandboxError(Exception):
    """The sandbox failed, not the program; it takes no more sessions and wants to be replaced."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The limits of one test: seconds, bytes, and processes and threads at once."""

    wall_s: float
    cpu_s: float
    memory_bytes: int
    output_bytes: int
    file_bytes: int
    processes: int


@dataclass(frozen=True, slots=True)
class Session:
    """One child process: the program, and the tests that it is to answer one after another.

    With `stdin` the program runs once as `__main__`, as one test, and has no scripts. `files` lie in its folder when it
    starts; `fetch` are wanted from there when it has ended. Their names are relative, with `/` between folders.
    """

    code: str
    scripts: tuple[tuple[Step, ...], ...]
    bounds: Bounds
    stdin: str | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)
    fetch: tuple[str, ...] = ()

    @property
    def tests(self) -> int:
        """How many reports a child that lives to its end sends."""
        return len(self.scripts) if self.stdin is None else 1


@dataclass(frozen=True, slots=True)
class Failure:
    """An exception inside; `line` counts in the submitted code, `kind` is `assertion`, `memory` or `other`.

    An `assertion` is an AssertionError that the test raised, and not the program.
    """

    type: str
    message: str
    line: int | None
    kind: str


@dataclass(frozen=True, slots=True)
class Usage:
    """What a test cost and printed; `truncated` where a stream was cut at its limit."""

    wall_s: float
    cpu_s: float | None
    memory_bytes: int | None
    stdout: str
    stderr: str
    truncated: bool


@dataclass(frozen=True, slots=True)
class Report:
    """A test's end inside: the values of its script's steps, in order, as far as it came."""

    values: tuple[Any, ...]
    failure: Failure | None
    usage: Usage


class Phase(StrEnum):
    """How far a child came: what it was doing when it ended."""

    COMPILE = "compile"
    LOAD = "load"
    TESTS = "tests"


class Cause(StrEnum):
    """Why a child ended: by itself, or killed for a limit or because nobody wants to know more."""

    EXIT = "exit"
    WALL = "wall"
    CPU = "cpu"
    OUTPUT = "output"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Ending:
    """How a child ended, and what the test it was at had cost until then.

    `status` is an exit code, or a signal's number negated. `failure` is what ended compiling or loading. `files` are
    those of the session's `fetch` that were there: regular files, each cut at the limit on files.
    """

    phase: Phase
    cause: Cause
    status: int
    failure: Failure | None
    usage: Usage
    files: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def out_of_memory(self) -> bool:
        """True where the child said that memory ended it."""
        return self.failure is not None and self.failure.kind == "memory"

    @property
    def signal_name(self) -> str | None:
        """The signal that killed it, e.g. `SIGSEGV`."""
        if self.status >= 0:
            return None
        try:
            return signal.Signals(-self.status).name
        except ValueError:
            return f"signal {-self.status}"


class Sandbox(Protocol):
    """A place of its own for one program after another."""

    @property
    def isolation(self) -> str:
        """The layers that are in force, joined by `+`."""
        ...

    def run(self, session: Session, keep_on: Callable[[Report], bool]) -> Ending:
        """Run one session to its end; `keep_on` sees each report as it comes and says whether to go on.

        When this returns, nothing that the program started is alive and nothing it wrote to its folder is left.

        Raises:
            SandboxError: the sandbox failed; the program has no verdict.
        """
        ...

    def close(self) -> None:
        """End the sandbox and what runs in it; safe from any thread, and more than once."""
        ...
