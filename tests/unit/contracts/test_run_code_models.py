"""SandboxFusion's wire format, as its clients send and read it."""

import pytest
from pydantic import ValidationError

from services.contracts import CommandResult, CommandStatus, RunCodeReply, RunCodeRequest, RunStatus


def test_the_least_that_a_client_sends_has_sandbox_fusions_defaults() -> None:
    request = RunCodeRequest.model_validate({"code": "", "language": "python"})
    assert (request.compile_timeout, request.run_timeout, request.memory_limit_MB) == (10.0, 10.0, -1)
    assert (request.stdin, request.files, request.fetch_files) == (None, {}, [])


def test_fields_that_are_not_known_are_passed_over() -> None:
    body = {"code": "", "language": "python", "request_id": "x", "files": {"a": None}, "memory_limit_MB": 1024.0}
    assert RunCodeRequest.model_validate(body).memory_limit_MB == 1024


@pytest.mark.parametrize("run_timeout", [0, -1, float("inf"), float("nan")])
def test_a_time_that_is_none_is_refused(run_timeout: float) -> None:
    with pytest.raises(ValidationError):
        RunCodeRequest.model_validate({"code": "", "language": "python", "run_timeout": run_timeout})


def test_a_reply_has_every_field_that_its_clients_read() -> None:
    ran = CommandResult(status=CommandStatus.FINISHED, execution_time=0.5, return_code=0, stdout="1\n", stderr="")
    reply = RunCodeReply(status=RunStatus.SUCCESS, run_result=ran)
    assert reply.model_dump(mode="json") == {
        "status": "Success",
        "message": "",
        "compile_result": None,
        "run_result": {"status": "Finished", "execution_time": 0.5, "return_code": 0, "stdout": "1\n", "stderr": ""},
        "executor_pod_name": None,
        "files": {},
    }
