"""From scores to the reply: every step with its score, and the program's aggregates."""

import math
from collections.abc import Sequence
from statistics import fmean

from services.contracts import Aggregate, ScoredStep, ScoreReply
from services.scorer.encoding import Encoded


def compose_reply(model: str, encoded: Encoded, scores: Sequence[float]) -> ScoreReply:
    """The reply for a program whose `code` steps have `scores`, in order."""
    remaining = iter(scores)
    scored = set(encoded.scored_steps)
    return ScoreReply(
        model=model,
        steps=[
            ScoredStep(
                index=step.index,
                start=step.start,
                end=step.end,
                first_line=step.first_line,
                last_line=step.last_line,
                kind=step.kind,
                score=next(remaining) if step.index in scored else None,
            )
            for step in encoded.steps
        ],
        aggregate=aggregate(scores),
        truncated=encoded.input.truncated,
        tokens=len(encoded.input.ids),
    )


def aggregate(scores: Sequence[float]) -> Aggregate:
    """The scores of a program's `code` steps as one number, in four forms; null where there are none."""
    if not scores:
        return Aggregate()
    return Aggregate(mean=fmean(scores), min=min(scores), product=math.prod(scores), last=scores[-1])
