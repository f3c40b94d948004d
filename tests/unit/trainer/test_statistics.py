"""What the experiment's statistics promise."""

import random
from statistics import fmean

import pytest

from trainer.experiments.statistics import bootstrap, first_at_least, paired, sign_flip_p_value, smoothed, spread


def test_an_interval_holds_the_mean_and_narrows_with_more_seeds() -> None:
    rng = random.Random(0)
    groups = [[float(rng.random() < 0.3 + 0.1 * (seed % 3)) for _ in range(40)] for seed in range(24)]
    few, many = bootstrap(groups[:4], resamples=500), bootstrap(groups, resamples=500)
    assert many.mean == pytest.approx(fmean(fmean(group) for group in groups))
    assert few.low <= few.mean <= few.high
    assert many.high - many.low < few.high - few.low


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    rng, held = random.Random(1), 0
    for at in range(100):
        groups = [[float(rng.random() < 0.4) for _ in range(30)] for _ in range(8)]
        estimate = bootstrap(groups, seed=at, resamples=200)
        held += estimate.low <= 0.4 <= estimate.high
    assert held >= 88


def test_pairs_see_what_problems_of_unlike_difficulty_would_hide() -> None:
    rng = random.Random(2)
    theirs = [[rng.random() for _ in range(50)] for _ in range(5)]
    ours = [[each + 0.05 for each in group] for group in theirs]
    compared = paired(ours, theirs, resamples=300)
    assert compared.difference.low == pytest.approx(0.05)
    assert compared.by_seed == pytest.approx([0.05] * 5)
    assert compared.p_value == pytest.approx(2 / 2**5)


def test_arms_that_do_not_pair_up_are_refused() -> None:
    with pytest.raises(ValueError, match="same seeds"):
        paired([[1.0]], [[1.0], [0.0]])
    with pytest.raises(ValueError, match="nothing"):
        bootstrap([])


def test_the_sign_flip_test_counts_all_signs() -> None:
    assert sign_flip_p_value([0.1, -0.1]) == 1
    assert sign_flip_p_value([0.1, 0.2, 0.3]) == pytest.approx(2 / 8)


def test_a_curve_is_smoothed_backwards_alone_and_reaches_a_level_once() -> None:
    assert smoothed([0.0, 1.0, 1.0, 1.0], 2) == [0.0, 0.5, 1.0, 1.0]
    assert first_at_least([0.0, 0.5, 1.0], 0.5) == 1
    assert first_at_least([0.0], 0.5) is None
    assert spread([0.5]) == 0
