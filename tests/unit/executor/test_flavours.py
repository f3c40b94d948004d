"""Two zygotes as one sandbox: packages for programs that name them, and the same walls for both."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from services.contracts import ExecuteReply, ExecuteRequest, Verdict
from services.executor.examination import examine
from services.executor.flavours import Flavours
from services.executor.forkserver import ForkServer
from services.executor.sandbox import Bounds, Report, SandboxError, Session
from services.executor.tiers import prove

PACKAGES = ("numpy", "pytest")
BOUNDS = Bounds(wall_s=10, cpu_s=10, memory_bytes=512 * 1024**2, output_bytes=65536, file_bytes=1024**2, processes=16)


class Making:
    """Makes the second sandbox and counts how often."""

    def __init__(self, make: Callable[[], ForkServer]) -> None:
        self._make = make
        self.made: list[ForkServer] = []

    def __call__(self) -> ForkServer:
        self.made.append(self._make())
        return self.made[-1]


@pytest.fixture
def making(uids: tuple[int, int] | None, sandbox: ForkServer) -> Making:
    namespaces = "namespaces" in sandbox.isolation
    return Making(lambda: ForkServer(uids and (uids[0] + 2, uids[1] + 2), packages=PACKAGES, namespaces=namespaces))


@pytest.fixture(scope="module")
def loaded(uids: tuple[int, int] | None, sandbox: ForkServer) -> Iterator[Callable[[], ForkServer]]:
    """A maker that makes one and the same, for tests that do not count or close."""
    made: list[ForkServer] = []
    namespaces = "namespaces" in sandbox.isolation

    def make() -> ForkServer:
        if not made:
            others = uids and (uids[0] + 4, uids[1] + 4)
            made.append(ForkServer(others, packages=PACKAGES, namespaces=namespaces))
        return made[0]

    yield make
    for server in made:
        server.close()


@pytest.fixture
def flavours(sandbox: ForkServer, loaded: Callable[[], ForkServer]) -> Flavours:
    return Flavours(sandbox, loaded, PACKAGES)


def judge(sandbox: Any, code: str, *tests: str) -> ExecuteReply:
    return examine(ExecuteRequest.model_validate({"code": code, "tests": list(tests)}), BOUNDS, sandbox)


def test_the_second_zygote_starts_when_a_program_names_a_package(sandbox: ForkServer, making: Making) -> None:
    both = Flavours(sandbox, making, PACKAGES)
    for code in ("x = 1", "numpyish = 1", "x = 'num' 'py'"):
        judge(both, code, "assert True")
    assert making.made == []
    for _ in range(2):
        assert judge(both, "import numpy as np", "assert np.ones(3).sum() == 3").verdict is Verdict.ACCEPTED
    assert len(making.made) == 1
    making.made[0].close()


@pytest.mark.parametrize("where", ["test", "file"])
def test_a_package_may_be_named_in_a_test_or_a_file(
    sandbox: ForkServer, loaded: Callable[[], ForkServer], where: str
) -> None:
    both = Flavours(sandbox, loaded, PACKAGES)
    if where == "test":
        assert judge(both, "x = 1", "import numpy\nassert numpy.add(x, 1) == 2").verdict is Verdict.ACCEPTED
    else:
        files = {"helper.py": b"import numpy\nprint(numpy.ones(2).sum())"}
        session = Session("import helper", (), BOUNDS, stdin="", files=files)
        outputs: list[str] = []

        def keep(report: Report) -> bool:
            outputs.append(report.usage.stdout)
            return True

        both.run(session, keep)
        assert outputs == ["2.0\n"]


def test_numpy_and_pytest_work(flavours: Flavours) -> None:
    code = """
import numpy as np
import pytest
def f(n):
    matrix = np.arange(n * n).reshape(n, n).astype(float)
    draws = np.random.default_rng(0).integers(9, size=2).tolist()
    return float(np.linalg.det(matrix @ matrix.T + np.eye(n))) > 0, draws
def raises():
    with pytest.raises(ZeroDivisionError):
        1 / 0
    return pytest.approx(0.3) == 0.1 + 0.2
"""
    reply = judge(flavours, code, "assert f(50)[0] == True", "assert len(f(3)[1]) == 2", "assert raises() == True")
    assert reply.verdict is Verdict.ACCEPTED, reply


@pytest.mark.parametrize("package", ["torch", "httpx", "pydantic", "services", "fastapi", "yaml", "tests"])
def test_no_other_package_can_be_imported(flavours: Flavours, package: str) -> None:
    for first in ("", "import numpy\n"):
        [test] = judge(flavours, f"{first}import {package}", "assert 1 == 1").tests
        assert test.error is not None
        assert test.error.type in ("ModuleNotFoundError", "PermissionError", "ImportError")


def test_the_plain_zygote_has_no_packages(sandbox: ForkServer) -> None:
    [test] = judge(sandbox, "import numpy", "assert 1 == 1").tests
    assert test.error is not None
    assert test.error.type == "ModuleNotFoundError"


def test_both_have_the_same_walls(flavours: Flavours, sandbox: ForkServer, loaded: Callable[[], ForkServer]) -> None:
    assert flavours.isolation == sandbox.isolation == loaded().isolation
    prove(loaded())


def test_what_a_program_does_to_numpy_the_next_does_not_see(flavours: Flavours) -> None:
    code = "import numpy\nnumpy.add = None\nnumpy.random.seed(1)\nopen('left', 'w').close()\nx = 1"
    assert judge(flavours, code, "assert x == 1").verdict is Verdict.ACCEPTED
    code = "import numpy, os\ndef f():\n    return int(numpy.add(1, 1)), os.listdir('.')"
    assert judge(flavours, code, "assert f() == (2, [])").verdict is Verdict.ACCEPTED


def test_a_closed_one_serves_nobody(making: Making, uids: tuple[int, int] | None) -> None:
    plain = making()
    both = Flavours(plain, making, PACKAGES)
    judge(both, "import numpy", "assert True")
    both.close()
    both.close()
    for code in ("x = 1", "import numpy"):
        with pytest.raises(SandboxError):
            judge(both, code, "assert True")


def test_one_made_too_late_is_closed_again(making: Making) -> None:
    """The pool closed while the second zygote was being made."""
    plain = making()

    def make() -> ForkServer:
        both.close()
        return making()

    both = Flavours(plain, make, PACKAGES)
    with pytest.raises(SandboxError, match="closed"):
        judge(both, "import numpy", "assert True")
    with pytest.raises(SandboxError):
        judge(making.made[-1], "x = 1", "assert True")
