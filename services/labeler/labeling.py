"""Labels one problem, from its reference solution to its labelled programs.

    reference runs ─► new tests ─► reference runs again, on all tests ─► candidates run ─► labels

Knows neither queue nor database: it gets a problem and a verifier, and returns what is to be kept.
"""

from collections.abc import Sequence

from services.contracts import AssertTest, ExecuteReply, KilledBy, Origin, Outcome, Problem, TestCase, Verdict
from services.labeler.candidates import Candidate, choose, propose
from services.labeler.labels import candidate_labels, label_steps
from services.labeler.recipe import LabelledProblem, LabelledProgram, Recipe
from services.labeler.reference import augmented_tests, reference_cpu_s, request
from services.labeler.solution import read_solution
from services.labeler.verification import Verifier


async def label_problem(problem: Problem, recipe: Recipe, verifier: Verifier) -> LabelledProblem:
    """Label the reference solution of `problem` and the programs made of it.

    Raises:
        UnusableProblemError: the reference fails its own tests, or can't be read.
    """
    program = read_solution(problem.solution)
    cpu_s = await reference_cpu_s(problem, program.code, verifier)
    augmented = await augmented_tests(problem, program.code, recipe, verifier)
    per_step = {Origin.MUTATION: recipe.mutants_per_step, Origin.REFACTORING: recipe.refactorings_per_step}
    candidates = choose(propose(program, recipe.segment), per_step, f"{recipe.seed}/{problem.id}")
    reference = LabelledProgram(
        origin=Origin.REFERENCE,
        operator=None,
        changed_step=None,
        code=program.code,
        outcome=None,
        verdict=Verdict.ACCEPTED,
        killed_by=None,
        steps=label_steps(program.code, recipe.segment),
    )
    judged = await _judge(problem, candidates, augmented, recipe, cpu_s, verifier)
    return LabelledProblem([reference, *judged], augmented)


async def _judge(
    problem: Problem,
    candidates: Sequence[Candidate],
    augmented: Sequence[AssertTest],
    recipe: Recipe,
    cpu_s: float,
    verifier: Verifier,
) -> list[LabelledProgram]:
    tests = [*problem.tests, *augmented]
    runnable = [candidate for candidate in candidates if candidate.competent]
    replies = await verifier.run([request(problem, one.code, tests, cpu_s=cpu_s) for one in runnable])
    by_code = {candidate.code: reply for candidate, reply in zip(runnable, replies, strict=True)}
    await _confirm_timeouts(problem, runnable, tests, by_code, verifier)
    return [_labelled(candidate, by_code.get(candidate.code), len(problem.tests), recipe) for candidate in candidates]


async def _confirm_timeouts(
    problem: Problem,
    candidates: Sequence[Candidate],
    tests: Sequence[TestCase],
    replies: dict[str, ExecuteReply | None],
    verifier: Verifier,
) -> None:
    """Give refactorings that ran out of time all of it: hardly one is endless, and a slow rewrite is no wrong one."""
    late = [
        candidate.code
        for candidate in candidates
        if candidate.origin is Origin.REFACTORING
        and (reply := replies[candidate.code])
        and reply.verdict is Verdict.TIME_LIMIT_EXCEEDED
    ]
    again = await verifier.run([request(problem, code, tests) for code in late])
    replies.update(zip(late, again, strict=True))


def _labelled(candidate: Candidate, reply: ExecuteReply | None, base_tests: int, recipe: Recipe) -> LabelledProgram:
    outcome = _outcome(candidate, reply)
    killed = outcome is Outcome.KILLED
    return LabelledProgram(
        origin=candidate.origin,
        operator=candidate.operator,
        changed_step=candidate.changed_step,
        code=candidate.code,
        outcome=outcome,
        verdict=reply.verdict if reply else None,
        killed_by=_killed_by(reply, base_tests) if reply and killed else None,
        steps=candidate_labels(candidate, outcome, recipe.segment) if outcome else None,
    )


def _outcome(candidate: Candidate, reply: ExecuteReply | None) -> Outcome | None:
    if not candidate.competent:
        return Outcome.INCOMPETENT
    if reply is None:
        return None
    if reply.verdict is Verdict.COMPILE_ERROR:
        return Outcome.INCOMPETENT
    return Outcome.SURVIVED if reply.verdict is Verdict.ACCEPTED else Outcome.KILLED


def _killed_by(reply: ExecuteReply, base_tests: int) -> KilledBy:
    results = reply.tests
    first = next((index for index, test in enumerate(results) if test.verdict is not Verdict.ACCEPTED), 0)
    return KilledBy.BASE if first < base_tests else KilledBy.AUGMENTED
