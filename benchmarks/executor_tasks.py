"""What the executor's benchmark runs: MBPP's references, a sample that every peer can run, programs of 20 tests."""

import ast
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from executor_peers import Task

from services.contracts import AssertTest, ExecuteRequest, Problem, TestCase

SLOW = "Mbpp/123"
"""Takes 8-10 s by itself: left out of every speed, not of the verdicts."""

NUMPY = ExecuteRequest(
    code="import numpy\n\ndef f(n):\n    return int(numpy.arange(n).sum())\n",
    tests=[AssertTest(code="assert f(4) == 6")],
)
"""Starts the flavour with numpy."""


@dataclass(frozen=True)
class Shared:
    """One MBPP task, as the executor and as the peers take it; the tests are the same."""

    request: ExecuteRequest
    task: Task


def request_for(problem: Problem) -> ExecuteRequest:
    """A problem's reference against its own tests."""
    return ExecuteRequest(code=problem.solution, tests=problem.tests, setup=problem.setup)


def unseen(requests: Iterable[ExecuteRequest], mark: str) -> list[ExecuteRequest]:
    """The same programs with a comment in each test, so that no cache of the service has met the test's source."""
    return [one.model_copy(update={"tests": [_marked(test, mark) for test in one.tests]}) for one in requests]


def _marked(test: TestCase, mark: str) -> TestCase:
    return AssertTest(code=f"{test.code}\n# {mark}") if isinstance(test, AssertTest) else test


def shared_by_all(problems: Iterable[Problem]) -> list[Shared]:
    """The quick tasks whose tests are all `assert f(literals) == literal`, which is what evalplus can take."""
    return [one for problem in problems if problem.id != SLOW and (one := _shared(problem)) is not None]


def sample(tasks: Sequence[Shared], count: int, seed: int) -> list[Shared]:
    """`count` different tasks, or all if there are fewer."""
    return random.Random(seed).sample(tasks, min(count, len(tasks)))


def _shared(problem: Problem) -> Shared | None:
    sources = [test.code for test in problem.tests if isinstance(test, AssertTest)]
    calls = [call for source in sources if (call := _plain_call(source)) is not None]
    names = {name for name, _, _ in calls}
    if len(calls) != len(problem.tests) or len(names) != 1:
        return None
    task = Task(
        code=problem.solution + "\n" + problem.setup,
        tests="\n".join(sources),
        entry_point=names.pop(),
        inputs_literal=repr([inputs for _, inputs, _ in calls]),
        expected_literal=repr([expected for _, _, expected in calls]),
    )
    return Shared(request_for(problem), task)


def _plain_call(source: str) -> tuple[str, list[object], object] | None:
    """Name, arguments and expected value of `assert f(literals) == literal`; None for any other source."""
    try:
        match ast.parse(source).body:
            case [ast.Assert(ast.Compare(ast.Call(ast.Name(name), arguments, []), [ast.Eq()], [expected]))]:
                return name, [ast.literal_eval(one) for one in arguments], ast.literal_eval(expected)
    except (SyntaxError, ValueError):
        pass
    return None


def programs_of_twenty(count: int, seed: int) -> list[ExecuteRequest]:
    """Programs that differ, each a loop over a list, with 20 asserts of its own."""
    rng = random.Random(seed)
    return [_program_of_twenty(rng) for _ in range(count)]


def _program_of_twenty(rng: random.Random) -> ExecuteRequest:
    a, b = rng.randint(1, 99), rng.randint(1, 99)
    code = f"def f(xs):\n    total = 0\n    for x in xs:\n        total += {a} * x * x - {b} * x\n    return total\n"
    lists = [[rng.randint(-50, 50) for _ in range(rng.randint(1, 12))] for _ in range(20)]
    tests = [AssertTest(code=f"assert f({xs}) == {sum(a * x * x - b * x for x in xs)}") for xs in lists]
    return ExecuteRequest(code=code, tests=list(tests))
