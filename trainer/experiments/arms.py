"""The arms of process against outcome: they differ in the reward, and in nothing else.

| arm | a step earns | the last token earns |
| --- | --- | --- |
| outcome | | 1 if all tests pass |
| process | what it adds to the chance that no line so far is wrong | |
| process+outcome | the same, halved | half the outcome |
| shuffled | the same as process, dealt out among the steps at random | |
| oracle | what it adds to the share of the way, by one who knows the solution | |

Scores telescope to that of the whole program, in [0, 1] as the outcome is: no arm has another scale, and no needless
line earns anything. The outcome comes at the end and concerns every token, so its arm looks back without end (lambda
1); a line's reward concerns that line above all (lambda 0.95, and 0.97 where both are given). `shuffled` is the
control: as much reward, from the same PRM, in the wrong places.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trainer.experiments.oracle import OracleRewards
from trainer.remote import RemoteRewards


@dataclass(frozen=True, slots=True)
class Arm:
    """`settings` of `PpoConfig` that make the arm; `oracle`: scores come from one who knows the solutions."""

    settings: Mapping[str, Any]
    oracle: bool = False

    def source(self, scorer_url: str, executor_url: str) -> RemoteRewards:
        """Judges programs for this arm; always by verdicts too, so that all arms' pass rates are seen."""
        if self.oracle:
            return OracleRewards(executor_url=executor_url)
        return RemoteRewards("process+outcome", scorer_url=scorer_url, executor_url=executor_url)


_PROCESS = {"reward": "process", "process_form": "progress", "lam": 0.95}

ARMS: Mapping[str, Arm] = {
    "outcome": Arm({"reward": "outcome", "lam": 1.0}),
    "process": Arm(_PROCESS),
    "process+outcome": Arm({**_PROCESS, "reward": "process+outcome", "outcome_weight": 0.5, "lam": 0.97}),
    "shuffled": Arm({**_PROCESS, "shuffle_steps": True}),
    "oracle": Arm({**_PROCESS, "process_form": "delta"}, oracle=True),
}
