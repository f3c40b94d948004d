from typing import Any

import pytest

from services.contracts import Aggregate, ScoreRequest
from services.scorer.encoding import encode
from services.scorer.replies import aggregate, compose_reply


def test_aggregates_are_the_mean_the_least_the_product_and_the_last() -> None:
    assert aggregate([0.5, 0.25, 0.75]) == Aggregate(mean=0.5, min=0.25, product=0.09375, last=0.75)


def test_no_scores_have_no_aggregates() -> None:
    assert aggregate([]) == Aggregate(mean=None, min=None, product=None, last=None)


def test_scores_go_to_the_code_steps_in_order(prm: Any) -> None:
    encoded = encode(ScoreRequest(prompt="p", code="# c\na\n\nb"), prm)
    reply = compose_reply("m", encoded, [0.25, 0.5])
    assert [step.score for step in reply.steps] == [None, 0.25, None, 0.5]
    assert [(step.start, step.end, step.first_line) for step in reply.steps] == [
        (0, 3, 1),
        (4, 5, 2),
        (6, 6, 3),
        (7, 8, 4),
    ]
    assert (reply.model, reply.tokens, reply.truncated) == ("m", len(encoded.input.ids), False)
    assert reply.aggregate.product == pytest.approx(0.125)
