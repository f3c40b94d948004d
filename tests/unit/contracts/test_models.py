"""The models take what the contract shows, refuse what it does not, and survive their own JSON."""

import json

import pytest
from pydantic import ValidationError

import services.contracts as contracts
from services.contracts import CallTest, ExecuteReply, ExecuteRequest, JobRequest, JobStatus, ScoreRequest

EXECUTE = """
{"code": "def f(x):\\n    return x + 1\\n",
 "tests": ["assert f(1) == 2",
           {"kind": "call", "function": "f", "args": [1], "kwargs": {}, "expected": 2},
           {"kind": "call", "function": "f", "args_literal": "[(1, 2), {3}]", "expected_literal": "{1, 2}"},
           {"kind": "stdio", "stdin": "3\\n", "expected_stdout": "4\\n"}],
 "setup": "", "language": "python", "stop_at_first_failure": false,
 "limits": {"wall_s": 5.0, "cpu_s": 5.0, "memory_bytes": 268435456, "output_bytes": 65536,
            "file_bytes": 16777216, "processes": 16}}
"""


def test_the_contracts_execute_body_is_read_and_survives_its_own_json() -> None:
    request = ExecuteRequest.model_validate_json(EXECUTE)
    assert [test.kind for test in request.tests] == ["assert", "call", "call", "stdio"]
    assert ExecuteRequest.model_validate_json(request.model_dump_json()) == request


def test_a_call_that_expects_none_is_told_from_one_that_expects_nothing() -> None:
    assert CallTest.model_validate({"function": "f", "args": [], "expected": None}).expected is None
    with pytest.raises(ValidationError, match="give expected or expected_literal"):
        CallTest.model_validate({"function": "f", "args": []})


@pytest.mark.parametrize(
    "extra", [{"args": [1], "args_literal": "[1]"}, {"expected": 1, "expected_literal": "1"}, {"expectd": 1}]
)
def test_a_call_with_two_forms_or_an_unknown_field_is_refused(extra: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        CallTest.model_validate({"function": "f", "expected": 1} | extra)


def test_a_reply_with_more_fields_than_this_client_knows_is_read() -> None:
    body = {"verdict": "accepted", "passed": 0, "total": 0, "wall_s": 0, "isolation": "x", "tests": [], "new": 1}
    assert ExecuteReply.model_validate(body).verdict == "accepted"


def test_an_unknown_segment_or_truncation_is_refused() -> None:
    for field, value in (("segment", "word"), ("truncate", "code")):
        with pytest.raises(ValidationError):
            ScoreRequest.model_validate({"prompt": "", "code": "", field: value})


def test_a_jobs_defaults_are_those_of_the_contract() -> None:
    problem = {"id": "601", "prompt": "", "solution": "", "tests": ["assert 1"]}
    job = JobRequest.model_validate({"name": "j", "problems": [problem]})
    dumped = json.loads(job.model_dump_json(exclude={"problems", "name"}))
    assert dumped == {
        "teacher": {"kind": "rules"},
        "segment": "line",
        "mutants_per_step": 4,
        "refactorings_per_step": 2,
        "augmented_tests": 32,
        "seed": 0,
        "license": None,
        "idempotency_key": None,
    }


def test_only_three_statuses_are_final() -> None:
    assert {status for status in JobStatus if status.final} == {"succeeded", "failed", "cancelled"}


def test_exported_names_are_sorted_and_exist() -> None:
    assert contracts.__all__ == sorted(contracts.__all__)
    assert all(hasattr(contracts, name) for name in contracts.__all__)


def test_every_model_of_the_wire_has_a_docstring() -> None:
    models = [getattr(contracts, name) for name in contracts.__all__ if name not in ("Teacher", "TestCase")]
    assert [model for model in models if not model.__doc__] == []
