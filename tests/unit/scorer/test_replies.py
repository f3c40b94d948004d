import math
from statistics import fmean
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts import Aggregate, AggregateForm, ScoreRequest
from services.scorer.encoding import encode
from services.scorer.replies import aggregate, compose_reply, softmin


def test_aggregates_are_the_mean_the_least_the_product_the_last_and_the_softmin() -> None:
    forms = aggregate([0.5, 0.25, 0.75], softmin_temperature=0.25)
    assert (forms.mean, forms.min, forms.product, forms.last) == (0.5, 0.25, 0.09375, 0.75)
    weights = [math.exp(-2), math.exp(-1), math.exp(-3)]
    assert forms.softmin == pytest.approx((0.5 * weights[0] + 0.25 * weights[1] + 0.75 * weights[2]) / sum(weights))


def test_softmin_goes_from_the_minimum_to_the_mean_with_its_temperature() -> None:
    scores = [0.9, 0.2, 0.7]
    assert softmin(scores, 1e-300) == 0.2
    assert softmin(scores, 1e9) == pytest.approx(0.6)
    assert 0.2 < softmin(scores, 0.1) < 0.21


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.floats(1e-3, 1e3))
def test_softmin_lies_between_the_minimum_and_the_mean(scores: list[float], temperature: float) -> None:
    assert min(scores) - 1e-9 <= softmin(scores, temperature) <= fmean(scores) + 1e-9


def test_no_scores_have_no_aggregates() -> None:
    assert aggregate([], 0.1) == Aggregate(mean=None, min=None, product=None, last=None, softmin=None)


@pytest.mark.parametrize("form", AggregateForm)
def test_the_scalar_is_the_form_that_the_request_names_and_hides_nothing(form: AggregateForm, prm: Any) -> None:
    plain, asked = ScoreRequest(prompt="p", code="a\nb"), ScoreRequest(prompt="p", code="a\nb", aggregate=form)
    without, reply = (compose_reply("m", request, encode(request, prm), [0.25, 0.5]) for request in (plain, asked))
    assert reply.scalar == getattr(reply.aggregate, form) is not None
    assert without.scalar is None
    assert without == reply.model_copy(update={"scalar": None})


def test_a_program_without_code_has_no_scalar(prm: Any) -> None:
    request = ScoreRequest(prompt="p", code="# c", aggregate="min")
    assert compose_reply("m", request, encode(request, prm), []).scalar is None


def test_scores_go_to_the_code_steps_in_order(prm: Any) -> None:
    request = ScoreRequest(prompt="p", code="# c\na\n\nb")
    encoded = encode(request, prm)
    reply = compose_reply("m", request, encoded, [0.25, 0.5])
    assert [step.score for step in reply.steps] == [None, 0.25, None, 0.5]
    assert [(step.start, step.end, step.first_line) for step in reply.steps] == [
        (0, 3, 1),
        (4, 5, 2),
        (6, 6, 3),
        (7, 8, 4),
    ]
    assert (reply.model, reply.tokens, reply.truncated) == ("m", len(encoded.input.ids), False)
    assert reply.aggregate.product == pytest.approx(0.125)
