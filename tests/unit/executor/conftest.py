"""A real sandbox of each tier for every test of this folder, and calls that run a program in it."""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from services.contracts import ExecuteReply, ExecuteRequest, Verdict
from services.executor.examination import examine
from services.executor.forkserver import ForkServer
from services.executor.planning import may_choose_users
from services.executor.sandbox import Bounds, Report, Session
from services.executor.values import decode

BOUNDS = Bounds(wall_s=5.0, cpu_s=5.0, memory_bytes=256 * 1024**2, output_bytes=65536, file_bytes=1024**2, processes=16)


@pytest.fixture(scope="session")
def uids() -> tuple[int, int] | None:
    """Users for a sandbox, where there is a choice."""
    first = 20_000 + secrets.randbelow(40_000)
    return (first, first + 1) if may_choose_users() else None


@pytest.fixture(scope="session", params=["namespaces", "weak"])
def sandbox(request: pytest.FixtureRequest, uids: tuple[int, int] | None) -> Iterator[ForkServer]:
    """One fork server for all tests of a tier: what one program does must not reach the next."""
    server = ForkServer(uids, namespaces=request.param == "namespaces")
    if request.param == "namespaces" and server.missing:
        server.close()
        pytest.skip(f"this machine gives no namespaces: {server.missing}")
    yield server
    server.close()


@pytest.fixture
def judge(sandbox: ForkServer) -> Callable[..., ExecuteReply]:
    """`judge(code, *tests, setup="", stop_at_first_failure=False, **limits)`."""

    def run(
        code: str, *tests: Any, setup: str = "", stop_at_first_failure: bool = False, **limits: Any
    ) -> ExecuteReply:
        request = ExecuteRequest.model_construct(
            code=code,
            tests=ExecuteRequest(code="", tests=list(tests)).tests,
            setup=setup,
            stop_at_first_failure=stop_at_first_failure,
        )
        return examine(request, replace(BOUNDS, **limits), sandbox)

    return run


@pytest.fixture
def answer(sandbox: ForkServer) -> Callable[..., Any]:
    """`answer(code, expression, **limits)`: what the expression comes to behind the code, inside."""

    def run(code: str, expression: str, **limits: Any) -> Any:
        reports: list[Report] = []
        session = Session(code, ((("value", expression),),), replace(BOUNDS, **limits))

        def keep(report: Report) -> bool:
            reports.append(report)
            return True

        ending = sandbox.run(session, keep)
        assert reports, f"the program did not answer: {ending}"
        assert reports[0].failure is None, reports[0].failure
        return decode(reports[0].values[0])

    return run


@pytest.fixture
def the_next_program_is_served(judge: Callable[..., ExecuteReply]) -> Iterator[None]:
    """Behind the test an honest program finds the sandbox as it was: alive, its folder empty and usable."""
    yield
    code = """
import os
def f(x):
    left = os.listdir(".")
    with open("mine", "w") as file:
        file.write("x" * 100_000)
    return left, os.path.getsize("mine"), x
"""
    assert judge(code, "assert f(1) == ([], 100_000, 1)").verdict is Verdict.ACCEPTED
