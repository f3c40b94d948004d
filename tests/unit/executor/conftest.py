"""A real sandbox for every test of this folder, and one call that judges a program in it."""

import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from services.contracts import ExecuteReply, ExecuteRequest
from services.executor.examination import examine
from services.executor.forkserver import ForkServer
from services.executor.sandbox import Bounds

BOUNDS = Bounds(wall_s=5.0, cpu_s=5.0, memory_bytes=256 * 1024**2, output_bytes=65536, file_bytes=1024**2, processes=16)


@pytest.fixture(scope="session")
def sandbox() -> Iterator[ForkServer]:
    """One fork server for all tests: what one program does must not reach the next."""
    uid = 20_000 + secrets.randbelow(40_000) if os.geteuid() == 0 else None
    server = ForkServer(uid)
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
