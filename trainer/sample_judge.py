"""Judging drafts over the network: verdicts from the executor and, where asked for, scores from the scorer."""

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from services.client import ScorerClient
from trainer.judging import PendingJudgements, Program, ask_once
from trainer.remote import RemoteRewards
from trainer.samples import Drafts, Sample, program_of


@dataclass(frozen=True, slots=True)
class PendingSamples:
    """Samples whose verdicts are on their way."""

    drafts: Drafts
    verdicts: PendingJudgements
    scores: PendingJudgements | None

    def wait(self, settings: str) -> list[Sample]:
        """The samples, once everything is answered; a verdict or scores that nobody gave are None."""
        verdicts = self.verdicts.wait()
        scores = self.scores.wait() if self.scores else [None] * len(verdicts)
        return [
            Sample(
                task_id=draft.problem.id,
                kind=draft.kind,
                completion=draft.completion,
                tokens=draft.tokens,
                logprob=draft.logprob,
                verdict=judged.verdict if judged else None,
                scores=[(step.end, step.score) for step in scored.steps or ()] if scored else None,
                settings=settings,
            )
            for draft, judged, scored in zip(self.drafts, verdicts, scores, strict=True)
        ]


class Judge:
    """Asks the executor, and the scorer `with_scores`; a context manager. Identical programs are asked about once."""

    def __init__(self, executor_url: str | None, *, with_scores: bool = False, scorer_url: str | None = None) -> None:
        self._open = ExitStack()
        self._executor = self._open.enter_context(RemoteRewards("outcome", executor_url=executor_url))
        self._scorer = (
            self._open.enter_context(RemoteRewards("process", scorer_url=scorer_url)) if with_scores else None
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def ask(self, drafts: Drafts) -> PendingSamples:
        """Have drafts judged in the background."""
        programs = [Program(draft.problem, program_of(draft.problem, draft.completion)) for draft in drafts]
        return PendingSamples(drafts, ask_once(self._executor, programs), self._ask_scorer(programs))

    def _ask_scorer(self, programs: Sequence[Program]) -> PendingJudgements | None:
        return ask_once(self._scorer, programs) if self._scorer else None


def scorer_identity(scorer_url: str | None) -> str:
    """What tells the model that a scorer serves by default from another, the same after a restart."""

    async def ask() -> str:
        async with ScorerClient(scorer_url) as scorer:
            models = await scorer.models()
        return "\n".join(model.model_dump_json(exclude={"loaded_at"}) for model in models if model.default)

    return asyncio.run(ask())
