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


@dataclass(frozen=True, slots=True)
class PendingJudgements:
    """Judgements on their way; `asked[i]` is the place of program i among the distinct ones."""

    future: Future[list[Judgement | None]]
    asked: list[int]

    @property
    def duplicates(self) -> int:
        """How many programs needed no question of their own."""
        return len(self.asked) - len(set(self.asked))

    def wait(self) -> list[Judgement | None]:
        """The judgements of all programs, in order; raises what the source raised."""
        judgements = self.future.result()
        return [judgements[place] for place in self.asked]


def ask_once(source: RewardSource, programs: Sequence[Program]) -> PendingJudgements:
    """Have `programs` judged, those that are the same code for the same problem only once."""
    places: dict[tuple[str, str], int] = {}
    distinct: list[Program] = []
    asked: list[int] = []
    for program in programs:
        key = (program.problem.id, program.code)
        if key not in places:
            places[key] = len(distinct)
            distinct.append(program)
        asked.append(places[key])
    return PendingJudgements(source.judge(distinct), asked)
