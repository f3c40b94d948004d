from hypothesis import given, settings
from hypothesis import strategies as st

from services.scorer.grouping import group_by_length

LENGTHS = st.lists(st.integers(1, 300), max_size=60)


def test_neighbours_in_length_share_a_group() -> None:
    assert group_by_length([10, 100, 10, 98], max_tokens=1000) == [[1, 3], [0, 2]]


def test_a_group_ends_at_the_token_budget() -> None:
    assert group_by_length([10] * 5, max_tokens=20) == [[0, 1], [2, 3], [4]]


def test_padding_ends_a_group_too() -> None:
    assert group_by_length([10, 9, 5], max_tokens=1000, max_padding=0.1) == [[0, 1], [2]]
    assert group_by_length([10, 9, 5], max_tokens=1000, max_padding=0.5) == [[0, 1, 2]]


def test_nothing_makes_no_group() -> None:
    assert group_by_length([], max_tokens=10) == []


@settings(deadline=None)
@given(LENGTHS, st.integers(1, 500), st.floats(0, 1))
def test_every_input_is_in_one_group_within_both_bounds(lengths: list[int], budget: int, padding: float) -> None:
    groups = group_by_length(lengths, budget, padding)
    assert sorted(index for group in groups for index in group) == list(range(len(lengths)))
    for group in groups:
        padded = max(lengths[index] for index in group) * len(group)
        assert len(group) == 1 or padded <= budget
        assert padded - sum(lengths[index] for index in group) <= padding * padded
