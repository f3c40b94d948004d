"""From a program's scores and its verdict to one number: the process reward, the outcome, or a mix of both."""

from dataclasses import dataclass
from typing import Literal, get_args

from services.contracts import AggregateForm, ScoreReply, Segment, StepKind, Verdict, split_steps

RewardKind = Literal["process", "outcome", "process+outcome"]


@dataclass(frozen=True, slots=True)
class RewardForm:
    """What a reward is made of; `aggregate` and `segment` may be given as plain strings.

    `process`: the scores of the program's steps as one number, in the form `aggregate`, in [0, 1]; 0 for a program
    without a line of code. `outcome`: 1 for a program that passes all its tests, else 0. `process+outcome`:
    (1 - `outcome_weight`) process + `outcome_weight` outcome. `truncate`: `prompt` lets a too long input lose its
    prompt's beginning, None gives it no reward.
    """

    kind: RewardKind = "process"
    aggregate: AggregateForm = AggregateForm.MEAN
    outcome_weight: float = 0.5
    segment: Segment = Segment.LINE
    model: str | None = None
    truncate: Literal["prompt"] | None = None

    def __post_init__(self) -> None:
        """Raise `ValueError` for a kind, a form or a weight that there is not."""
        if self.kind not in get_args(RewardKind):
            raise ValueError(f"kind is one of {', '.join(get_args(RewardKind))}, not {self.kind!r}")
        AggregateForm(self.aggregate)
        if not 0 <= self.outcome_weight <= 1:
            raise ValueError(f"outcome_weight is a share, from 0 to 1, not {self.outcome_weight}")

    @property
    def wants_scores(self) -> bool:
        """Whether the scorer is asked."""
        return self.kind != "outcome"

    @property
    def wants_verdict(self) -> bool:
        """Whether the executor is asked."""
        return self.kind != "process"

    def has_step(self, code: str) -> bool:
        """Whether `code` has a step to score; the scorer is not asked about one that has none."""
        return any(step.kind is StepKind.CODE for step in split_steps(code, self.segment))

    def process(self, reply: ScoreReply) -> float:
        """The scores as one number."""
        value: float | None = getattr(reply.aggregate, AggregateForm(self.aggregate).value)
        return 0.0 if value is None else value

    def mix(self, process: float | None, outcome: float | None) -> float | None:
        """The reward; None where a part that it needs is missing."""
        if self.kind == "process":
            return process
        if self.kind == "outcome":
            return outcome
        if process is None or outcome is None:
            return None
        return (1 - self.outcome_weight) * process + self.outcome_weight * outcome


def outcome(verdict: Verdict | None) -> float | None:
    """1 for an accepted program, 0 for one that fails; None for a failure of ours."""
    return None if verdict in (None, Verdict.INTERNAL_ERROR) else float(verdict is Verdict.ACCEPTED)
