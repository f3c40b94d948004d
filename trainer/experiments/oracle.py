"""An oracle for list tasks: what a perfect PRM would say of each line, the ceiling of what a learnt one can do.

A reference solution takes `xs` through milestones, one for each operation. A program's statement is right if `xs`
stands behind it where a milestone has it that is not behind the last one reached; the lines up to it score the share of
the way that is done. The first statement that leads elsewhere scores 0, and so does all that follows. The last line's
score is the verdict's, and a program that is accepted on another way than the reference's went it evenly. The programs
run in the executor; only our own reference solutions run here.

For no claim: it knows the solution, as no PRM does.
"""

import ast
from collections.abc import Sequence
from functools import lru_cache

from services.client.rewards.asking import ask_all
from services.contracts import CallTest, ExecuteReply, ExecuteRequest, Limits, Problem, StepKind, Verdict, split_steps
from trainer.judging import Program
from trainer.remote import RemoteRewards
from trainer.rewards import Judgement, StepScore

_PROBED = 4  # of a problem's inputs
_OWN = "lists/"
_LIMITS = Limits(cpu_s=0.25)
"""Of a probe: a list task takes microseconds, and what does not end would cost a limit for each milestone."""


class OracleRewards(RemoteRewards):
    """A `RewardSource` of verdicts and of scores that know the solution. Judges list tasks alone."""

    def __init__(self, *, executor_url: str | None = None, timeout_s: float = 120.0) -> None:
        super().__init__("outcome", executor_url=executor_url, timeout_s=timeout_s)

    async def _judge(self, programs: list[Program]) -> list[Judgement | None]:
        executions = await self._executions(programs)
        verdicts = [execution.verdict if execution else None for execution in executions]
        probes = [_probes(program) for program in programs]
        assert self._executor is not None
        replies = await ask_all(self._executor.execute_batch, [request for each in probes for _, request in each])
        judgements, at = [], 0
        for program, verdict, own in zip(programs, verdicts, probes, strict=True):
            answers = replies[at : at + len(own)]
            at += len(own)
            answered = verdict not in (None, Verdict.INTERNAL_ERROR) and None not in answers
            found = [(line, reply) for (line, _), reply in zip(own, answers, strict=True) if reply is not None]
            judgements.append(Judgement(_scores(program, verdict, found), verdict) if answered else None)
        return judgements


@lru_cache(maxsize=8192)
def milestones(solution: str, inputs: str) -> tuple[tuple[object, ...], ...]:
    """The values of `xs` on each of `inputs` (the repr of a list of them): at first, and whenever they have changed."""
    lines = solution.splitlines(keepends=True)
    found: list[tuple[object, ...]] = [tuple(ast.literal_eval(inputs))]
    for statement in _statements(solution)[:-1]:
        names: dict[str, object] = {}
        exec(_cut(lines, statement), names)  # noqa: S102  a reference solution of our own making
        function = names["f"]
        assert callable(function)
        state = tuple(function(list(xs)) for xs in ast.literal_eval(inputs))
        if state != found[-1]:
            found.append(state)
    return tuple(found)


def _probes(program: Program) -> list[tuple[int, ExecuteRequest]]:
    """For each statement but the last, its last line (from 1) and the program cut behind it, tested on milestones."""
    problem = program.problem
    if not problem.id.startswith(_OWN) or problem.solution is None:
        raise ValueError(f"the oracle knows list tasks alone, not {problem.id!r}")
    inputs = _inputs(problem)
    wanted = milestones(problem.solution, repr(inputs))
    tests = [
        CallTest(function="f", args=[xs], expected=expected)
        for state in wanted
        for xs, expected in zip(inputs, state, strict=True)
    ]
    lines = program.code.splitlines(keepends=True)
    statements = _statements(program.code)[:-1] if _parses(program.code) else []
    return [(line, ExecuteRequest(code=_cut(lines, line), tests=tests, limits=_LIMITS)) for line in statements]


def _scores(
    program: Program, verdict: Verdict | None, probed: Sequence[tuple[int, ExecuteReply]]
) -> tuple[StepScore, ...]:
    """The score of every code step."""
    steps = [step for step in split_steps(program.code) if step.kind is StepKind.CODE]
    if verdict is Verdict.ACCEPTED:
        return tuple(StepScore(step.end, count / len(steps)) for count, step in enumerate(steps, start=1))
    shares = _shares(program, probed)
    scores, now = [], 0.0
    for step in steps[:-1]:
        now = shares.get(step.last_line, now)
        scores.append(StepScore(step.end, now))
    return (*scores, *(StepScore(step.end, 0.0) for step in steps[-1:]))


def _shares(program: Program, probed: Sequence[tuple[int, ExecuteReply]]) -> dict[int, float]:
    """For the last line of each statement, how much of the way is done behind it."""
    solution = program.problem.solution or ""
    goals = len(milestones(solution, repr(_inputs(program.problem))))
    reached = 0
    shares: dict[int, float] = {}
    for line, reply in probed:
        passed = [test.verdict is Verdict.ACCEPTED for test in reply.tests]
        states = [all(passed[at : at + _PROBED]) for at in range(0, len(passed), _PROBED)]
        further = next((at for at, holds in enumerate(states) if holds and at >= reached), None)
        if further is None:
            shares[line] = 0.0
            break
        reached = further
        shares[line] = reached / goals
    return shares


def _inputs(problem: Problem) -> list[list[int]]:
    calls = [test for test in problem.tests if isinstance(test, CallTest)][:_PROBED]
    return [call.args[0] for call in calls if call.args]  # type: ignore[misc]


def _statements(code: str) -> list[int]:
    """The last lines, from 1, of the statements in the body of the first function."""
    functions = [node for node in ast.parse(code).body if isinstance(node, ast.FunctionDef)]
    return [statement.end_lineno or 0 for statement in functions[0].body] if functions else []


def _cut(lines: Sequence[str], last_line: int) -> str:
    return "".join(lines[:last_line]) + "\n    return xs\n"


def _parses(code: str) -> bool:
    try:
        ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
