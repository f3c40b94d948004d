"""What a real executor makes of the programs that ask a reference for values."""

from services.client import ExecutorClient
from services.contracts import AssertTest, Problem, Verdict
from services.labeler.augmentation.oracle import answers, questions

ENDLESS_AT_TWO = "def f(n):\n    while n == 2:\n        pass\n    return -n\n"


async def test_an_input_that_hangs_the_reference_costs_its_program_no_more_than_two_tests_and_the_inputs_behind_it(
    executor_url,
):
    problem = Problem(id="p", prompt="", solution=ENDLESS_AT_TWO, tests=["assert f(5) == -5"])
    expressions = [f"f({number})" for number in (0, 1, 2, 3)]
    asked = questions(problem, ENDLESS_AT_TWO, expressions, 0.05)
    assert [request.limits.cpu_s for request in asked] == [0.1]
    async with ExecutorClient(executor_url) as client:
        [reply] = await client.execute_batch(asked)
    assert reply.verdict is Verdict.TIME_LIMIT_EXCEEDED
    assert answers(problem, expressions, [reply]) == [
        AssertTest(code="assert f(0) == 0"),
        AssertTest(code="assert f(1) == -1"),
    ]
