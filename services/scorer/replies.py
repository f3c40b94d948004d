"""From scores to the reply: every step with its score, and the program's aggregates."""

import math
import operator
from collections.abc import Sequence
from statistics import fmean

from services.contracts import Aggregate, ScoreReply, ScoreRequest
from services.scorer.encoding import Encoded


def compose_reply(model: str, request: ScoreRequest, encoded: Encoded, scores: Sequence[float]) -> ScoreReply:
    """The reply for a program whose `code` steps have `scores`, in order."""
    remaining = iter(scores)
    scored = set(encoded.scored_steps)
    forms = aggregate(scores, request.softmin_temperature)
    return ScoreReply.model_validate(  # once for all steps: one by one they take half as long again
        {
            "model": model,
            "steps": [
                {
                    "index": step.index,
                    "start": step.start,
                    "end": step.end,
                    "first_line": step.first_line,
                    "last_line": step.last_line,
                    "kind": step.kind,
                    "score": next(remaining) if step.index in scored else None,
                }
                for step in encoded.steps
            ],
            "aggregate": forms,
            "scalar": None if request.aggregate is None else getattr(forms, request.aggregate),
            "truncated": encoded.input.truncated,
            "tokens": len(encoded.input.ids),
        }
    )


def aggregate(scores: Sequence[float], softmin_temperature: float) -> Aggregate:
    """The scores of a program's `code` steps as one number, in five forms; null where there are none."""
    if not scores:
        return Aggregate()
    return Aggregate(
        mean=fmean(scores),
        min=min(scores),
        product=math.prod(scores),
        last=scores[-1],
        softmin=softmin(scores, softmin_temperature),
    )


def softmin(scores: Sequence[float], temperature: float) -> float:
    """A smooth minimum of `scores`: PURE's reweighted rewards, summed (https://arxiv.org/abs/2504.15275).

    PURE gives step i the reward r*_i = r_i exp(-r_i / T) / sum_j exp(-r_j / T), so that a trainer which sums rewards
    optimises nearly their minimum. The sum of all r*_i is this number: T towards 0 makes it the minimum, T towards
    infinity the mean.
    """
    least = min(scores)
    weights = [math.exp((least - score) / temperature) for score in scores]
    return math.fsum(map(operator.mul, weights, scores)) / math.fsum(weights)
