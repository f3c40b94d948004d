"""A judge runs what it doubts on the problem's own tests first, and says what one run on all tests would have said."""

import pytest

from services.contracts import AssertTest, ExecuteReply, Origin, Outcome, Problem, Segment, TestResult, Verdict
from services.labeler.candidates import Candidate
from services.labeler.judging import Judge
from services.labeler.verification import Verifier

PROBLEM = Problem.model_validate(
    {"id": "p", "prompt": "", "solution": "x = 3\n", "tests": ["assert x > 1", "assert x > 2"]}
)
ADDED = [AssertTest(code="assert x == 3")]


class CountingExecutor:
    """Evaluates the asserts on `x` here, up to the first that fails; remembers what it was asked."""

    def __init__(self):
        self.asked = []

    async def execute_batch(self, programs):
        self.asked += [(program.code, len(program.tests)) for program in programs]
        return [self._reply(program) for program in programs]

    def _reply(self, program):
        names = {}
        exec(program.code, names)
        results = []
        for test in program.tests:
            passes = eval(test.code.removeprefix("assert "), names)
            results.append(Verdict.ACCEPTED if passes else Verdict.WRONG_ANSWER)
            if not passes:
                break
        return ExecuteReply(
            verdict=results[-1],
            passed=results.count(Verdict.ACCEPTED),
            total=len(program.tests),
            wall_s=0,
            isolation="",
            tests=[TestResult(verdict=verdict, assurance="high") for verdict in results],
        )


def judge(executor, added=ADDED):
    return Judge(PROBLEM, added, Segment.LINE, 0.25, Verifier(executor, patience_s=0))


def candidate(origin, code):
    return Candidate(origin, "operator", code, place=0, changed_step=0, blamable=True, competent=True)


async def test_only_mutants_that_pass_the_problems_own_tests_meet_the_added_ones():
    executor = CountingExecutor()
    codes = ["x = 2\n", "x = 4\n", "x = 3.0\n"]
    labelled = await judge(executor).label([candidate(Origin.MUTATION, code) for code in codes], "rules")
    assert executor.asked == [("x = 2\n", 2), ("x = 4\n", 2), ("x = 3.0\n", 2), ("x = 4\n", 3), ("x = 3.0\n", 3)]
    assert [(one.outcome, one.killed_by) for one in labelled] == [
        (Outcome.KILLED, "base"),
        (Outcome.KILLED, "augmented"),
        (Outcome.SURVIVED, None),
    ]


async def test_refactorings_meet_all_tests_at_once():
    executor = CountingExecutor()
    codes = ["x = 1 + 2\n", "x = 1\n"]
    labelled = await judge(executor).label([candidate(Origin.REFACTORING, code) for code in codes], "rules")
    assert executor.asked == [("x = 1 + 2\n", 3), ("x = 1\n", 3)]
    assert [(one.outcome, one.killed_by) for one in labelled] == [(Outcome.SURVIVED, None), (Outcome.KILLED, "base")]


@pytest.mark.parametrize("added", [[], ADDED])
async def test_a_reply_is_that_of_one_run_on_all_tests(added):
    codes = ["x = 1\n", "x = 2\n", "x = 3\n", "x = 4\n"]
    executor = CountingExecutor()
    replies = await judge(executor, added).replies(codes)
    assert [replies[code].passed for code in codes] == [0, 1, 2 + len(added), 2]
    assert len(executor.asked) == len(codes) + (2 if added else 0)
