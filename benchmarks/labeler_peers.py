"""The peers of the labeler's benchmark: mutation testers on the same programs, two mutants at once, tests in pytest.

mutmut      https://github.com/boxed/mutmut (BSD-3): one project of all programs, `mutmut run --max-children 2`; its run
            includes what it does before the first mutant (it runs all tests once to know which cover what).
cosmic-ray  https://github.com/sixty-north/cosmic-ray (MIT): a session a program, two sessions at once; its `init` is
            not counted. A fresh pytest for each mutant, as its documentation says.
"""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.contracts import AssertTest, Problem

AT_ONCE = 2
TIMEOUT_S = 10.0
_SETTINGS = """[cosmic-ray]
module-path = "solutions/{name}.py"
timeout = {timeout}
excluded-modules = []
test-command = "{python} -m pytest -x -q -p no:cacheprovider tests/test_{name}.py"

[cosmic-ray.distributor]
name = "local"
"""
_PROJECT = """[mutmut]
source_paths=solutions

[tool:pytest]
python_functions=test_[0-9]*
"""
"""Tests have numbers: a solution that is called `test_three_equal` is none."""

_IMPORTS = """from solutions import {name} as solution

globals().update((name, value) for name, value in vars(solution).items() if not name.startswith("__"))
"""
"""All names, for some solutions are called `_sum`, which `import *` leaves out."""


@dataclass(frozen=True)
class Verified:
    """How many mutants a peer ran to an outcome, in how many seconds, and how many of them ended at a time limit."""

    mutants: int
    seconds: float
    late: int = 0

    @property
    def rate(self) -> float:
        """Mutants a second."""
        return self.mutants / self.seconds


def write_project(folder: Path, problems: Sequence[Problem]) -> list[str]:
    """A package with a module for each problem and its asserts as tests; the names of the modules."""
    for part in ("solutions", "tests"):
        (folder / part).mkdir(parents=True)
    (folder / "solutions" / "__init__.py").touch()
    (folder / "setup.cfg").write_text(_PROJECT)
    return [_write_module(folder, problem) for problem in problems]


def _write_module(folder: Path, problem: Problem) -> str:
    name = "p" + re.sub(r"\W", "_", problem.id)
    asserts = [test.code for test in problem.tests if isinstance(test, AssertTest)]
    tests = [f"def test_{number}():\n" + _indented(code) for number, code in enumerate(asserts)]
    (folder / "solutions" / f"{name}.py").write_text(problem.solution.replace("\r\n", "\n"))
    (folder / "tests" / f"test_{name}.py").write_text(
        "\n\n".join([_IMPORTS.format(name=name) + problem.setup, *tests]) + "\n"
    )
    return name


def _indented(code: str) -> str:
    return "\n".join(f"    {line}" for line in code.splitlines())


def run_mutmut(bin_folder: Path, folder: Path, problems: Sequence[Problem]) -> Verified:
    """All programs in one project."""
    write_project(folder, problems)
    began = time.perf_counter()
    run = _run([bin_folder / "mutmut", "run", "--max-children", str(AT_ONCE)], folder)
    seconds = time.perf_counter() - began
    counts = re.findall(r"(\d+)/(\d+) ", run)
    if not counts:
        raise SystemExit(f"mutmut said nothing that is understood here:\n{run[-2000:]}")
    return Verified(int(counts[-1][0]), seconds, int(re.findall(r"⏰ (\d+)", run)[-1]))


def run_cosmic_ray(bin_folder: Path, folder: Path, problems: Sequence[Problem]) -> Verified:
    """A session for each program, each in a copy of its own: mutants are written into the files."""
    sessions = []
    for problem in problems:
        place = folder / f"session-{problem.id}"
        [name] = write_project(place, [problem])
        settings = _SETTINGS.format(name=name, timeout=TIMEOUT_S, python=bin_folder / "python")
        (place / "settings.toml").write_text(settings)
        _run([bin_folder / "cosmic-ray", "init", "settings.toml", "session.sqlite"], place)
        sessions.append(place)

    def work_off(place: Path) -> None:
        _run([bin_folder / "cosmic-ray", "exec", "settings.toml", "session.sqlite"], place)

    began = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(work_off, sessions))
    seconds = time.perf_counter() - began
    results = [result for place in sessions for result in _results(bin_folder, place)]
    return Verified(len(results), seconds, sum(result["output"] == "timeout" for result in results))


def _results(bin_folder: Path, place: Path) -> list[dict[str, Any]]:
    lines = _run([bin_folder / "cosmic-ray", "dump", "session.sqlite"], place).splitlines()
    return [result for _, result in map(json.loads, lines) if result is not None]


def _run(command: Sequence[str | Path], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace")
    if done.returncode:
        raise SystemExit(f"{command[0]} failed:\n{(done.stdout + done.stderr)[-2000:]}")
    return done.stdout


PEERS: dict[str, Callable[[Path, Path, Sequence[Problem]], Verified]] = {
    "mutmut": run_mutmut,
    "cosmic-ray": run_cosmic_ray,
}


def installed(bin_folder: Path, peer: str) -> bool:
    """Whether that environment has the peer."""
    return shutil.which(peer, path=str(bin_folder)) is not None
