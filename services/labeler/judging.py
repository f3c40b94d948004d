"""The tests of one problem, before which every program that a teacher makes has to stand."""

from collections.abc import Sequence

from services.contracts import AssertTest, ExecuteReply, KilledBy, Origin, Outcome, Problem, Segment, Verdict
from services.labeler.candidates import Candidate
from services.labeler.labels import candidate_labels
from services.labeler.recipe import LabelledProgram
from services.labeler.reference import request
from services.labeler.verification import Verifier


class Judge:
    """Runs programs against a problem's own tests and the added ones; a test may take `cpu_s` processor seconds."""

    def __init__(
        self, problem: Problem, augmented: Sequence[AssertTest], segment: Segment, cpu_s: float, verifier: Verifier
    ) -> None:
        self._problem = problem
        self._tests = [*problem.tests, *augmented]
        self._segment = segment
        self._cpu_s = cpu_s
        self._verifier = verifier

    async def replies(self, codes: Sequence[str]) -> dict[str, ExecuteReply | None]:
        """The executor's reply for each program; None where it kept failing."""
        return await self._run(codes, self._cpu_s)

    async def label(self, candidates: Sequence[Candidate], teacher: str) -> list[LabelledProgram]:
        """What became of each candidate, and the labels that follow."""
        runnable = [candidate for candidate in candidates if candidate.competent]
        replies = await self.replies([candidate.code for candidate in runnable])
        await self._confirm_timeouts(runnable, replies)
        return [self._labelled(candidate, replies.get(candidate.code), teacher) for candidate in candidates]

    def killed_by(self, reply: ExecuteReply) -> KilledBy:
        """Whose tests a program failed first."""
        verdicts = [test.verdict for test in reply.tests]
        first = next((index for index, verdict in enumerate(verdicts) if verdict is not Verdict.ACCEPTED), 0)
        return KilledBy.BASE if first < len(self._problem.tests) else KilledBy.AUGMENTED

    async def _run(self, codes: Sequence[str], cpu_s: float | None) -> dict[str, ExecuteReply | None]:
        different = list(dict.fromkeys(codes))
        requests = [request(self._problem, code, self._tests, cpu_s=cpu_s) for code in different]
        return dict(zip(different, await self._verifier.run(requests), strict=True))

    async def _confirm_timeouts(self, candidates: Sequence[Candidate], replies: dict[str, ExecuteReply | None]) -> None:
        """Give late refactorings all the time: hardly one is endless, and a slow rewrite is no wrong one."""
        late = [
            candidate.code
            for candidate in candidates
            if candidate.origin is Origin.REFACTORING
            and (reply := replies[candidate.code])
            and reply.verdict is Verdict.TIME_LIMIT_EXCEEDED
        ]
        replies.update(await self._run(late, None))

    def _labelled(self, candidate: Candidate, reply: ExecuteReply | None, teacher: str) -> LabelledProgram:
        outcome = _outcome(candidate, reply)
        killed = outcome is Outcome.KILLED
        return LabelledProgram(
            origin=candidate.origin,
            operator=candidate.operator,
            changed_step=candidate.changed_step,
            code=candidate.code,
            outcome=outcome,
            verdict=reply.verdict if reply else None,
            killed_by=self.killed_by(reply) if reply and killed else None,
            steps=candidate_labels(candidate, outcome, self._segment) if outcome else None,
            teacher=teacher,
        )


def _outcome(candidate: Candidate, reply: ExecuteReply | None) -> Outcome | None:
    if not candidate.competent:
        return Outcome.INCOMPETENT
    if reply is None:
        return None
    if reply.verdict is Verdict.COMPILE_ERROR:
        return Outcome.INCOMPETENT
    return Outcome.SURVIVED if reply.verdict is Verdict.ACCEPTED else Outcome.KILLED
