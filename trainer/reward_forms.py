"""What a judgement is worth, in every form that has a name: pure functions on scores and verdicts.

`settled` wants calibrated chances (`trainer.success_chance`): where scores are too low the last token is paid the
difference, and a policy learns to end at once.

| kind | earned |
| --- | --- |
| process | the code steps' scores, each where its step ends |
| outcome | the verdict, at the last token |
| process+outcome | both, by weight |
| gated | both, but the process only by an accepted program (ReCode) |
| settled | both, and at the last token less all that the steps earned: the outcome in total, told line by line |
| orm | the score of the last step, at the last token: a learnt outcome reward |

| process form | a step earns | a program in total |
| --- | --- | --- |
| sum | its score | grows with the lines: known to be hacked |
| mean | its score over the number of steps | their mean (ByteDance, https://arxiv.org/abs/2410.17621) |
| min | its score if it is the smallest (the first of them), else 0 | the smallest |
| softmin | r_i softmax(-r / T)_i, T = 0.1 | about the smallest (PURE, https://arxiv.org/abs/2504.15275) |
| delta | its score less its predecessor's | the last score: a telescoping sum, which no needless step can raise |
| progress | the change of the product of all scores so far | the product: the chance that every step is right |
| share | that product, over the number of steps | the share of the way before the first wrong step |
| clip | min(r_i - threshold, 0) | at most 0 (https://arxiv.org/abs/2410.15115) |
"""

from dataclasses import dataclass
from itertools import accumulate, pairwise
from operator import mul
from typing import Literal

import torch

from services.contracts import Verdict

RewardKind = Literal["process", "outcome", "process+outcome", "gated", "settled", "orm"]
ProcessForm = Literal["sum", "mean", "min", "softmin", "delta", "progress", "share", "clip"]
OutcomeForm = Literal["binary", "levels", "pass_ratio"]

_SOFTMIN_TEMPERATURE = 0.1
_LEVELS = {Verdict.ACCEPTED: 1.0, Verdict.WRONG_ANSWER: -0.3, Verdict.COMPILE_ERROR: -1.0}
_RAISED = -0.6


@dataclass(frozen=True, slots=True)
class StepScore:
    """A code step's score, in [0, 1] as the PRM gives it; `end` is the offset behind the step's last character."""

    end: int
    score: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the services say of one program: scores of its code steps, its verdict, or both (None = not asked for).

    `passed` is the share of its tests that it passed, in [0, 1], where all of them were run.
    """

    steps: tuple[StepScore, ...] | None = None
    verdict: Verdict | None = None
    passed: float | None = None


def needs_scores(kind: RewardKind) -> bool:
    """True where the scorer must be asked."""
    return kind != "outcome"


def needs_verdicts(kind: RewardKind) -> bool:
    """True where the executor must be asked."""
    return kind not in ("process", "orm")


def process_rewards(judgement: Judgement, form: ProcessForm, clip_at: float = 0.5) -> tuple[StepScore, ...]:
    """The reward of each code step, as the table has it; none for a program without one.

    Raises:
        ValueError: the judgement has no scores.
    """
    if judgement.steps is None:
        raise ValueError("a process reward needs scores")
    scores = [step.score for step in judgement.steps]
    rewards = _step_rewards(scores, form, clip_at) if scores else []
    return tuple(StepScore(step.end, reward) for step, reward in zip(judgement.steps, rewards, strict=True))


def _step_rewards(scores: list[float], form: ProcessForm, clip_at: float) -> list[float]:
    match form:
        case "sum":
            return scores
        case "mean":
            return [score / len(scores) for score in scores]
        case "min":
            smallest = scores.index(min(scores))
            return [score if place == smallest else 0.0 for place, score in enumerate(scores)]
        case "softmin":
            exact = torch.tensor(scores, dtype=torch.float64)
            return (torch.softmax(-exact / _SOFTMIN_TEMPERATURE, dim=0) * exact).tolist()
        case "delta":
            return _changes(scores)
        case "progress":
            return _changes(list(accumulate(scores, mul)))
        case "share":
            return [product / len(scores) for product in accumulate(scores, mul)]
        case "clip":
            return [min(score - clip_at, 0.0) for score in scores]


def _changes(levels: list[float]) -> list[float]:
    return [after - before for before, after in pairwise([0.0, *levels])]


def last_score(judgement: Judgement) -> float:
    """The PRM's score of the last code step, which has read the whole program; 0 where there is no such step.

    Raises:
        ValueError: the judgement has no scores.
    """
    if judgement.steps is None:
        raise ValueError("a learnt outcome needs scores")
    return judgement.steps[-1].score if judgement.steps else 0.0


def outcome_reward(judgement: Judgement, form: OutcomeForm = "binary") -> float:
    """What the verdict is worth.

    `binary`: 1 for an accepted program, else 0. `levels`: accepted 1, wrong answer -0.3, an error or a limit at run
    time -0.6, a program that does not compile -1 (CodeRL, https://arxiv.org/abs/2207.01780). `pass_ratio`: -0.3 + 1.3
    times the share of tests that passed (RLTF's adaptive feedback, https://arxiv.org/abs/2307.04349).

    Raises:
        ValueError: there is no outcome: a failure of ours (`internal_error`), or tests that were not all run.
    """
    if judgement.verdict in (None, Verdict.INTERNAL_ERROR):
        raise ValueError(f"there is no outcome in the verdict {judgement.verdict}")
    if form == "levels":
        return _LEVELS.get(judgement.verdict, _RAISED)
    if form == "pass_ratio":
        if judgement.passed is None:
            raise ValueError("a pass ratio needs every test's verdict")
        return -0.3 + 1.3 * judgement.passed
    return float(judgement.verdict is Verdict.ACCEPTED)
