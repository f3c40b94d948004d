"""A real sandbox of each tier for every test of this folder, and one call that judges a program in it."""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from services.contracts import ExecuteReply, ExecuteRequest
from services.executor.examination import examine
from services.executor.forkserver import ForkServer
from services.executor.making import may_choose_users
from services.executor.sandbox import Bounds

BOUNDS = Bounds(wall_s=5.0, cpu_s=5.0, memory_bytes=256 * 1024**2, output_bytes=65536, file_bytes=1024**2, processes=16)


@pytest.fixture(scope="session", params=["namespaces", "weak"])
def sandbox(request: pytest.FixtureRequest) -> Iterator[ForkServer]:
    """One fork server for all tests of a tier: what one program does must not reach the next."""
    first = 20_000 + secrets.randbelow(40_000)
    server = ForkServer((first, first + 1) if may_choose_users() else None, namespaces=request.param == "namespaces")
    if request.param == "namespaces" and server.missing:
        server.close()
        pytest.skip(f"this machine gives no namespaces: {server.missing}")
    yield server
    server.close()


@pytest.fixture
def judge(sandbox: ForkServer) -> Callable[..., ExecuteReply]:
    """`judge(code, *tests, setup="", stop_at_first_failure=False, **limits)`."""

    def run(
        code: str, *tests: Any, setup: str = "", stop_at_first_failure: bool = False, **limits: float
    ) -> ExecuteReply:
        request = ExecuteRequest.model_construct(
            code=code,
            tests=ExecuteRequest(code="", tests=list(tests)).tests,
            setup=setup,
            stop_at_first_failure=stop_at_first_failure,
        )
        return examine(request, replace(BOUNDS, **limits), sandbox)

    return run
