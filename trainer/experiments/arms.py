"""The arms of process against outcome: they differ in the reward, and in how far it reaches; in nothing else.

| arm | a step earns | the last token earns | it concerns |
| --- | --- | --- | --- |
| outcome | | 1 if all tests pass | every token |
| process | what its PRM score lacks to three quarters | | the step alone |
| process+outcome | | the outcome, and beside it the PRM moves credit among a program's lines | every token |
| shuffled | | the same, by scores dealt out among the program's steps at random | every token |
| chance | what it adds to the chance that the program passes, as the PRM's scores have it | | the step above all |
| settled | the same | the outcome, less all that the steps earned | the step above all |
| oracle | | as process+outcome, by one who knows each line in the PRM's place | every token |

In process a step hears nothing of what follows (`step_lam` 0); by `line_credit` (ADR 0077) a program's lines together
hear what its verdict says. What steps earn in chance and settled telescopes to a number in [0, 1], as the outcome is
(lambda 0.98 a token, ADR 0068). Advantages have one scale in all arms. `process` never sees a verdict; `chance` sees
those that the chances were fitted to. `shuffled` is the control: as many scores of the same PRM, in the wrong places.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from trainer.experiments.line_oracle import LineOracleRewards
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


Scores = Literal["prm", "chance", "oracle"]


@dataclass(frozen=True, slots=True)
class Arm:
    """`settings` of `PpoConfig` that make the arm, and what `scores` steps: the PRM, chances by it, or an oracle."""

    settings: Mapping[str, Any]
    scores: Scores = "prm"

    def source(self, chance: Path | None, scorer_url: str, executor_url: str) -> RemoteRewards:
        """Judges programs for this arm; always by verdicts too, so that all arms' pass rates are seen.

        `chance` is the file of a `SuccessChance`, for the arms that want one.

        Raises:
            ValueError: this arm wants one, and there is none.
        """
        if self.scores == "oracle":
            return LineOracleRewards(executor_url=executor_url)
        if self.scores == "prm":
            return RemoteRewards("process+outcome", scorer_url=scorer_url, executor_url=executor_url)
        if chance is None:
            raise ValueError("an arm of chances wants the file that says what scores mean")
        return ChanceRewards(SuccessChance.load(chance), scorer_url=scorer_url, executor_url=executor_url)


_OUTCOME = {"reward": "outcome", "lam": 1.0}
_CLIPPED = {"process_form": "clip", "clip_at": 0.75}
"""Nine in ten of a policy's right lines score more than that, as many of its wrong ones less (ADR 0039)."""
_CREDITED = {**_OUTCOME, **_CLIPPED, "line_credit": 1.0}
_CHANCE = {"reward": "process", "process_form": "delta", "lam": 0.98}

ARMS: Mapping[str, Arm] = {
    "outcome": Arm(_OUTCOME),
    "process": Arm({"reward": "process", **_CLIPPED, "step_lam": 0.0}),
    "process+outcome": Arm(_CREDITED),
    "shuffled": Arm({**_CREDITED, "shuffle_steps": True}),
    "chance": Arm(_CHANCE, "chance"),
    "settled": Arm({**_CHANCE, "reward": "settled"}, "chance"),
    "oracle": Arm(_CREDITED, "oracle"),
}
