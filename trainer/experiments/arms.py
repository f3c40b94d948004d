"""The arms of process against outcome: they differ in the reward, and in nothing else.

| arm | a step earns | the last token earns |
| --- | --- | --- |
| outcome | | 1 if all tests pass |
| process | what it adds to the chance that the program passes, as the PRM's scores have it | |
| process+outcome | the same | the outcome, less all that the steps earned |
| shuffled | the same as process, dealt out among the steps at random | |
| oracle | what it adds to the share of the way, by one who knows the solution | |

What steps earn telescopes to a number in [0, 1], as the outcome is: no arm has another scale, and no needless line
earns anything. The outcome comes at the end and concerns every token, so its arm looks back without end (lambda 1); a
line's reward concerns that line above all (lambda 0.98). `process+outcome` is the outcome with the PRM as the critic
of lines; `process` never sees a verdict but those that the chances were fitted to. `shuffled` is the control: as much
reward, from the same PRM, in the wrong places.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trainer.experiments.oracle import OracleRewards
from trainer.judging import Program
from trainer.remote import RemoteRewards
from trainer.reward_forms import Judgement, StepScore
from trainer.success_chance import SuccessChance


class ChanceRewards(RemoteRewards):
    """A `RewardSource` of verdicts, and of the chance of success after each step in place of the step's score."""

    def __init__(self, chance: SuccessChance, *, scorer_url: str, executor_url: str) -> None:
        super().__init__("process+outcome", scorer_url=scorer_url, executor_url=executor_url)
        self._chance = chance

    async def _judge(self, programs: list[Program]) -> list[Judgement | None]:
        return [judgement and self._told(judgement) for judgement in await super()._judge(programs)]

    def _told(self, judgement: Judgement) -> Judgement:
        steps = judgement.steps or ()
        chances = self._chance.of([step.score for step in steps])
        told = (StepScore(step.end, chance) for step, chance in zip(steps, chances, strict=True))
        return Judgement(tuple(told), judgement.verdict, judgement.passed)


@dataclass(frozen=True, slots=True)
class Arm:
    """`settings` of `PpoConfig` that make the arm; `oracle`: scores come from one who knows the solutions."""

    settings: Mapping[str, Any]
    oracle: bool = False

    def source(self, chance: SuccessChance, scorer_url: str, executor_url: str) -> RemoteRewards:
        """Judges programs for this arm; always by verdicts too, so that all arms' pass rates are seen."""
        if self.oracle:
            return OracleRewards(executor_url=executor_url)
        return ChanceRewards(chance, scorer_url=scorer_url, executor_url=executor_url)


_PROCESS = {"reward": "process", "process_form": "delta", "lam": 0.98}

ARMS: Mapping[str, Arm] = {
    "outcome": Arm({"reward": "outcome", "lam": 1.0}),
    "process": Arm(_PROCESS),
    "process+outcome": Arm({**_PROCESS, "reward": "settled"}),
    "shuffled": Arm({**_PROCESS, "shuffle_steps": True}),
    "oracle": Arm(_PROCESS, oracle=True),
}
