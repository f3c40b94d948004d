"""Limits are resolved before anything runs; what can't be done is named."""

from typing import Any

import pytest

from services.contracts import ExecuteRequest
from services.executor.requests import resolve
from services.executor.settings import ExecutorSettings
from services.kit.errors import BadRequestError


def request(**fields: Any) -> ExecuteRequest:
    return ExecuteRequest.model_validate({"code": "", "tests": [], **fields})


def test_limits_left_out_are_the_defaults() -> None:
    bounds = resolve(request(limits={"wall_s": 1.5}), ExecutorSettings())
    assert (bounds.wall_s, bounds.cpu_s, bounds.processes) == (1.5, 5.0, 16)
    assert (bounds.memory_bytes, bounds.output_bytes, bounds.file_bytes) == (256 * 2**20, 64 * 2**10, 16 * 2**20)


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINEWISE_EXECUTOR_WORKERS", "7")
    monkeypatch.setenv("LINEWISE_EXECUTOR_MAX_WALL_S", "2")
    settings = ExecutorSettings()
    assert settings.workers == 7
    assert resolve(request(), settings).wall_s == 2.0


@pytest.mark.parametrize("name", ["wall_s", "cpu_s", "memory_bytes", "output_bytes", "file_bytes", "processes"])
def test_a_limit_above_the_maximum_names_its_field(name: str) -> None:
    with pytest.raises(BadRequestError) as refused:
        resolve(request(limits={name: 10**12}), ExecutorSettings(), 2)
    assert refused.value.code == "limit_too_high"
    assert refused.value.details["path"] == f"programs[2].limits.{name}"


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"args_literal": "3", "expected": 1}, "tests[0].args_literal"),
        ({"args_literal": "[f(1)]", "expected": 1}, "tests[0].args_literal"),
        ({"args": [], "expected_literal": "open('x')"}, "tests[0].expected_literal"),
        ({"args": [], "expected_literal": "{1, "}, "tests[0].expected_literal"),
    ],
)
def test_a_literal_that_is_none_names_its_field(fields: dict[str, Any], path: str) -> None:
    with pytest.raises(BadRequestError) as refused:
        resolve(request(tests=[{"kind": "call", "function": "f", **fields}]), ExecutorSettings())
    assert refused.value.details == {"path": path}
