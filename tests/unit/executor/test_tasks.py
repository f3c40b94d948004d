"""A task arrives at a worker's process as the client asked for it, whatever JSON can hold."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.contracts import CallTest, ExecuteRequest, RunCodeRequest
from services.executor.run_code import plan_run
from services.executor.sandbox import Bounds
from services.executor.settings import ExecutorSettings
from services.executor.tasks import Examination, pack, unpack

BOUNDS = Bounds(wall_s=0.5, cpu_s=5.0, memory_bytes=2**28, output_bytes=65536, file_bytes=1024**2, processes=16)
JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False) | some.text(),
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(some.text(), inner, max_size=4),
    max_leaves=10,
)


@given(JSON, some.text())
def test_an_examination_arrives_as_it_was(value: Any, code: str) -> None:
    tests = [
        code,
        {"kind": "call", "function": "f", "args": [value], "kwargs": {"x": value}, "expected": value},
        {"kind": "call", "function": "f", "args_literal": "[(1,)]", "expected_literal": "{1}"},
        {"kind": "stdio", "stdin": "1\n", "expected_stdout": code},
    ]
    request = ExecuteRequest(code=code, tests=tests, setup=code, stop_at_first_failure=True)  # type: ignore[arg-type]
    assert unpack(pack(Examination(request, BOUNDS))) == Examination(request, BOUNDS)


def test_numbers_that_json_has_no_word_for_arrive() -> None:
    test = CallTest(function="f", args=[math.nan, math.inf], expected=-math.inf)
    task = unpack(pack(Examination(ExecuteRequest(code="", tests=[test]), BOUNDS)))
    assert isinstance(task, Examination)
    [arrived] = task.request.tests
    assert isinstance(arrived, CallTest)
    assert arrived.args is not None
    assert math.isnan(arrived.args[0])  # type: ignore[arg-type]
    assert (arrived.args[1], arrived.expected) == (math.inf, -math.inf)


@pytest.mark.parametrize("language", ["python", "pytest"])
def test_a_run_arrives_as_it_was(language: str) -> None:
    files = {"data/in.bin": "AP/+"}
    request = RunCodeRequest(code="print(1)", language=language, stdin="é", files=files, fetch_files=["./out"])
    plan = plan_run(request, ExecutorSettings(pod_name="pod")).within(BOUNDS)
    assert unpack(pack(plan)) == plan
    assert plan.session.files["data/in.bin"] == b"\x00\xff\xfe"
