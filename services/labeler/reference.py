"""What the reference solution is run for: to prove itself, to set the time limit, and as the oracle of new tests."""

from collections.abc import Sequence
from random import Random

from services.contracts import AssertTest, ExecuteReply, ExecuteRequest, Limits, Problem, TestCase, Verdict
from services.labeler.augmentation.calls import literal_calls
from services.labeler.augmentation.inputs import new_expressions
from services.labeler.augmentation.oracle import answers, questions
from services.labeler.errors import UnusableProblemError
from services.labeler.recipe import Recipe
from services.labeler.verification import Verifier

TIME_FACTOR = 10.0
LEAST_CPU_S = 0.25
MOST_CPU_S = 5.0
_TRIES_FOR_EACH_TEST = 2


async def reference_cpu_s(problem: Problem, code: str, verifier: Verifier) -> float:
    """Processor seconds that a test may take: ten times the reference's slowest, a quarter of a second at least.

    Processor time, for an endless mutant burns it and a busy machine does not: a label must not depend on the load.

    Raises:
        UnusableProblemError: the reference does not pass the problem's own tests.
    """
    if not problem.tests:
        raise UnusableProblemError("the problem has no tests")
    [reply] = await verifier.run([request(problem, code, problem.tests)])
    if reply is None:
        raise UnusableProblemError("the executor failed at the reference solution")
    if reply.verdict is not Verdict.ACCEPTED:
        raise UnusableProblemError(f"the reference solution fails its own tests: {_first_failure(reply)}")
    slowest = max((test.cpu_s or 0.0 for test in reply.tests), default=0.0)
    return min(max(LEAST_CPU_S, TIME_FACTOR * slowest), MOST_CPU_S)


def _first_failure(reply: ExecuteReply) -> str:
    for number, test in enumerate(reply.tests, start=1):
        if test.verdict is not Verdict.ACCEPTED:
            error = f", {test.error.type}: {test.error.message}" if test.error else ""
            return f"{test.verdict} at test {number}{error}"
    return str(reply.verdict)


def request(
    problem: Problem, code: str, tests: Sequence[TestCase], *, cpu_s: float | None = None, stop: bool = True
) -> ExecuteRequest:
    """Run `code` as a solution of `problem`; `cpu_s` is for each test, None is the executor's default."""
    return ExecuteRequest(
        code=code, tests=list(tests), setup=problem.setup, stop_at_first_failure=stop, limits=Limits(cpu_s=cpu_s)
    )


async def augmented_tests(
    problem: Problem, code: str, recipe: Recipe, cpu_s: float, verifier: Verifier
) -> list[AssertTest]:
    """New tests that the reference passes: its values are asked for once and confirmed by a second run.

    `cpu_s` is what a test may take of the processor; inputs that keep the reference much longer give none.

    Raises:
        UnusableProblemError: the second run fails the problem's own tests.
    """
    wanted = recipe.augmented_tests
    random = Random(f"{recipe.seed}/{problem.id}/tests")
    expressions = new_expressions(literal_calls(problem, code), _TRIES_FOR_EACH_TEST * wanted, random)
    if not expressions:
        return []
    tests: list[AssertTest] = []
    for asked in (expressions[:wanted], expressions[wanted:]):
        if asked and len(tests) < wanted:
            tests += answers(problem, asked, await verifier.run(questions(problem, code, asked, cpu_s)))
    tests = tests[:wanted]
    [again] = await verifier.run([request(problem, code, [*problem.tests, *tests], stop=False)])
    if again is None:
        return []
    base, added = again.tests[: len(problem.tests)], again.tests[len(problem.tests) :]
    if any(result.verdict is not Verdict.ACCEPTED for result in base):
        raise UnusableProblemError("the reference solution passes its own tests only at times")
    return [test for test, result in zip(tests, added, strict=False) if result.verdict is Verdict.ACCEPTED]
