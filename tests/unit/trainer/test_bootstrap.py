"""Bootstrap intervals against what is known of a mean."""

import pytest

from trainer.bootstrap import interval


def test_it_is_the_normal_interval_where_there_are_many_problems() -> None:
    values = [1.0] * 300 + [0.0] * 700
    found = interval(values)
    assert found is not None
    error = 1.96 * (0.3 * 0.7 / 1000) ** 0.5
    assert found == pytest.approx((0.3 - error, 0.3 + error), abs=0.003)


def test_it_repeats_itself_and_covers_more_at_a_higher_level() -> None:
    values = [0.0, 0.5, 1.0, 0.25, 0.75, 1.0]
    narrow, again, wide = interval(values), interval(values), interval(values, level=0.99)
    assert narrow is not None and wide is not None
    assert narrow == again
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_equal_values_leave_no_doubt_and_one_value_says_nothing() -> None:
    assert interval([0.5, 0.5, 0.5]) == (0.5, 0.5)
    assert interval([0.5]) is None
