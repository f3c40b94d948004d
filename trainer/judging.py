"""Who judges programs: the protocol that PPO asks, and the saving of asking once for identical programs."""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from services.contracts import Problem
from trainer.rewards import Judgement


@dataclass(frozen=True, slots=True)
class Program:
    """A program that was written for a problem."""

    problem: Problem
    code: str


class RewardSource(Protocol):
    """Judges programs in the background, so that the caller can work on meanwhile."""

    def judge(self, programs: Sequence[Program]) -> Future[list[Judgement | None]]:
        """One judgement for each program, in order; None where the services gave none, which is no reward at all."""


class PendingJudgements:
    """Has programs judged, chunk after chunk; the same code for the same problem is asked about only once."""

    def __init__(self, source: RewardSource) -> None:
        self._source = source
        self._futures: list[Future[list[Judgement | None]]] = []
        self._places: dict[tuple[str, str], int] = {}
        self._asked: list[int] = []

    @property
    def duplicates(self) -> int:
        """How many programs needed no question of their own."""
        return len(self._asked) - len(self._places)

    def ask(self, programs: Sequence[Program]) -> None:
        """Have some more programs judged in the background."""
        new: list[Program] = []
        for program in programs:
            key = (program.problem.id, program.code)
            if key not in self._places:
                self._places[key] = len(self._places)
                new.append(program)
            self._asked.append(self._places[key])
        if new:
            self._futures.append(self._source.judge(new))

    def wait(self) -> list[Judgement | None]:
        """The judgements of all programs, in order; raises what the source raised."""
        judgements = [judgement for future in self._futures for judgement in future.result()]
        return [judgements[place] for place in self._asked]


def ask_once(source: RewardSource, programs: Sequence[Program]) -> PendingJudgements:
    """Have `programs` judged, those that are the same code for the same problem only once."""
    pending = PendingJudgements(source)
    pending.ask(programs)
    return pending
