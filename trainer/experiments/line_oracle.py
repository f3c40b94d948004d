"""An oracle that labels each line by itself, as labels do: what a PRM could say at best where lines are to be blamed.

A line is right where the reference's solution has it at the same place among the lines of code, and all of a program
that passes are. So a line behind a wrong one can be right, which no share of the way (`oracle`) tells; and another way
to write a line is wrong unless the whole program passes. For no claim: it knows the solution, as no PRM does.
"""

from services.contracts import Problem, StepKind, Verdict, split_steps
from trainer.judging import Program
from trainer.remote import RemoteRewards
from trainer.rewards import Judgement, StepScore


class LineOracleRewards(RemoteRewards):
    """A `RewardSource` of verdicts, and of a 1 or a 0 for each line of code."""

    def __init__(self, *, executor_url: str | None = None, timeout_s: float = 120.0) -> None:
        super().__init__("outcome", executor_url=executor_url, timeout_s=timeout_s)

    async def _judge(self, programs: list[Program]) -> list[Judgement | None]:
        judged = await super()._judge(programs)
        return [judgement and _told(judgement, program) for judgement, program in zip(judged, programs, strict=True)]


def _told(judgement: Judgement, program: Program) -> Judgement:
    wanted = [text for _, text in _lines(_solution(program.problem))]
    passes = judgement.verdict is Verdict.ACCEPTED
    steps = tuple(
        StepScore(end, float(passes or wanted[place : place + 1] == [text]))
        for place, (end, text) in enumerate(_lines(program.code))
    )
    return Judgement(steps, judgement.verdict, judgement.passed)


def _lines(code: str) -> list[tuple[int, str]]:
    """Where each line of code ends, and its text."""
    steps = (step for step in split_steps(code) if step.kind is StepKind.CODE)
    return [(step.end, code[step.start : step.end].rstrip()) for step in steps]


def _solution(problem: Problem) -> str:
    if problem.solution is None:
        raise ValueError(f"the oracle wants a solution, and problem {problem.id!r} has none")
    return problem.solution
