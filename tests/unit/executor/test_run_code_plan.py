"""A request of /run_code as a session: its limits, its files, and how long it may wait."""

import pytest

from services.contracts import RunCodeRequest
from services.executor.run_code import RunPlan, plan_run
from services.executor.settings import ExecutorSettings


def plan(settings: ExecutorSettings | None = None, **fields: object) -> RunPlan:
    return plan_run(
        RunCodeRequest.model_validate({"code": "x = 1", "language": "python", **fields}), settings or ExecutorSettings()
    )


def test_limits_are_the_requests_or_the_servers_default() -> None:
    bounds = plan(run_timeout=2.5, memory_limit_MB=100).session.bounds
    assert (bounds.wall_s, bounds.memory_bytes) == (2.5, 100 * 2**20)
    bounds = plan(memory_limit_MB=-1).session.bounds
    assert (bounds.wall_s, bounds.memory_bytes, bounds.output_bytes) == (10.0, 256 * 2**20, 2**20)


@pytest.mark.parametrize(("compile_timeout", "wait_s"), [(10, 18), (0, 8), (60, 30)])
def test_a_program_waits_no_longer_than_verl_and_the_server_would(compile_timeout: float, wait_s: float) -> None:
    assert plan(compile_timeout=compile_timeout).start_within_s == wait_s


def test_no_input_is_an_empty_one() -> None:
    assert plan().session.stdin == plan(stdin="").session.stdin == ""


def test_tests_for_pytest_are_a_file_beside_the_others_and_in_nobodys_place() -> None:
    files = {"test_program.py": "YQ==", "conftest.py": "Yg=="}
    session = plan(language="pytest", files=files, args=["-k", "it's"]).session
    assert session.files == {"test_program.py": b"a", "conftest.py": b"b", "test_test_program.py": b"x = 1"}
    compile(session.code, "driver", "exec")
    assert "'test_test_program.py', '-k', \"it's\"" in session.code


def test_a_file_wanted_under_two_names_is_read_once() -> None:
    made = plan(fetch_files=["a", "./a"])
    assert made.session.fetch == ("a",)
    assert made.fetched_as == {"a": "a", "./a": "a"}
