"""The tests of one problem, before which every program that a teacher makes has to stand.

Most programs that are wrong fail one of the problem's own tests, and those are few: only what passes them is run again,
from the first on, on all. So a verdict is that of one run on all tests. docs/adr/0038.
"""

from collections.abc import Iterable, Mapping, Sequence

from services.contracts import (
    AssertTest,
    ExecuteReply,
    ExecuteRequest,
    KilledBy,
    Limits,
    Origin,
    Outcome,
    Problem,
    Segment,
    Verdict,
)
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
        self._on_base = request(problem, "", problem.tests, cpu_s=cpu_s)
        self._on_all = request(problem, "", [*problem.tests, *augmented], cpu_s=cpu_s)
        self._segment = segment
        self._verifier = verifier

    async def replies(self, codes: Iterable[str], *, trusted: Iterable[str] = ()) -> dict[str, ExecuteReply | None]:
        """The executor's reply for each program; None where it kept failing.

        Programs that will hardly fail, `trusted`, are run on all tests at once.
        """
        sure = dict.fromkeys(trusted, self._on_all)
        doubted = {code: self._on_base for code in codes if code not in sure}
        replies = await self._run(doubted | sure)
        if self._on_all.tests != self._on_base.tests:
            passed = [code for code in doubted if _verdict(replies[code]) is Verdict.ACCEPTED]
            replies |= await self._run(dict.fromkeys(passed, self._on_all))
        return replies

    async def label(self, candidates: Sequence[Candidate], teacher: str) -> list[LabelledProgram]:
        """What became of each candidate, and the labels that follow."""
        runnable: dict[Origin, list[str]] = {Origin.MUTATION: [], Origin.REFACTORING: []}
        for candidate in candidates:
            if candidate.competent:
                runnable[candidate.origin].append(candidate.code)
        refactorings = runnable[Origin.REFACTORING]
        replies = await self.replies(runnable[Origin.MUTATION], trusted=refactorings)
        replies |= await self._confirm_timeouts(refactorings, replies)
        return [self._labelled(candidate, replies.get(candidate.code), teacher) for candidate in candidates]

    def killed_by(self, reply: ExecuteReply) -> KilledBy:
        """Whose tests a program failed first."""
        verdicts = [test.verdict for test in reply.tests]
        first = next((index for index, verdict in enumerate(verdicts) if verdict is not Verdict.ACCEPTED), 0)
        return KilledBy.BASE if first < len(self._problem.tests) else KilledBy.AUGMENTED

    async def _run(self, requests: Mapping[str, ExecuteRequest]) -> dict[str, ExecuteReply | None]:
        """The reply for each program, run as it is told beside it."""
        programs = [asked.model_copy(update={"code": code}) for code, asked in requests.items()]
        return dict(zip(requests, await self._verifier.run(programs), strict=True))

    async def _confirm_timeouts(
        self, refactorings: Sequence[str], replies: Mapping[str, ExecuteReply | None]
    ) -> dict[str, ExecuteReply | None]:
        """Give late refactorings all the time: hardly one is endless, and a slow rewrite is no wrong one."""
        late = [code for code in refactorings if _verdict(replies[code]) is Verdict.TIME_LIMIT_EXCEEDED]
        return await self._run(dict.fromkeys(late, self._on_all.model_copy(update={"limits": Limits()})))

    def _labelled(self, candidate: Candidate, reply: ExecuteReply | None, teacher: str) -> LabelledProgram:
        outcome = _outcome(candidate, reply)
        killed = outcome is Outcome.KILLED
        return LabelledProgram(
            origin=candidate.origin,
            operator=candidate.operator,
            changed_step=candidate.changed_step,
            code=candidate.code,
            outcome=outcome,
            verdict=_verdict(reply),
            killed_by=self.killed_by(reply) if reply and killed else None,
            steps=candidate_labels(candidate, outcome, self._segment) if outcome else None,
            teacher=teacher,
        )


def _verdict(reply: ExecuteReply | None) -> Verdict | None:
    return reply.verdict if reply else None


def _outcome(candidate: Candidate, reply: ExecuteReply | None) -> Outcome | None:
    if not candidate.competent:
        return Outcome.INCOMPETENT
    if reply is None:
        return None
    if reply.verdict is Verdict.COMPILE_ERROR:
        return Outcome.INCOMPETENT
    return Outcome.SURVIVED if reply.verdict is Verdict.ACCEPTED else Outcome.KILLED
