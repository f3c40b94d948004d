"""What is counted of a reply is what it says, and its bytes arrive as they left."""

from services.contracts import (
    Assurance,
    ExecuteReply,
    RunCodeReply,
    RunStatus,
    TestResult,
    Verdict,
)
from services.executor.done import Done

PASSED = TestResult(verdict=Verdict.ACCEPTED, assurance=Assurance.HIGH, stdout="é\x00")
TRUSTED = TestResult(verdict=Verdict.ACCEPTED, assurance=Assurance.LOW)
WRONG = TestResult(verdict=Verdict.WRONG_ANSWER, assurance=Assurance.HIGH)


def reply(*tests: TestResult) -> ExecuteReply:
    return ExecuteReply(
        verdict=Verdict.WRONG_ANSWER, passed=3, total=4, wall_s=0.5, isolation="seccomp", tests=list(tests)
    )


def test_tests_are_counted_by_verdict_and_assurance() -> None:
    done = Done.examined(reply(PASSED, WRONG, PASSED, TRUSTED), children=2)
    assert (done.outcome, done.isolation, done.children) == ("wrong_answer", "seccomp", 2)
    assert sorted(done.tests) == [("accepted", "high", 2), ("accepted", "low", 1), ("wrong_answer", "high", 1)]


def test_it_arrives_as_it_was() -> None:
    original = reply(PASSED, WRONG)
    done = Done.unpack(Done.examined(original, children=1).pack())
    assert done == Done.examined(original, children=1)
    assert ExecuteReply.model_validate_json(done.body) == original


def test_a_run_is_counted_by_its_status() -> None:
    run = RunCodeReply(status=RunStatus.FAILED, message="", run_result=None, executor_pod_name=None, files={})
    done = Done.ran(run, "seccomp", children=1)
    assert (done.outcome, done.tests) == ("Failed", ())
    assert RunCodeReply.model_validate_json(done.body) == run
