"""pass@k against its definition, and where binomial coefficients would overflow."""

from itertools import combinations

import pytest

from trainer.passk import mean_pass_at_k, pass_at_k, standard_error


@pytest.mark.parametrize("n", range(1, 8))
def test_it_is_the_share_of_subsets_with_a_correct_sample(n: int) -> None:
    for c in range(n + 1):
        for k in range(1, n + 1):
            subsets = list(combinations([True] * c + [False] * (n - c), k))
            assert pass_at_k(n, c, k) == pytest.approx(sum(map(any, subsets)) / len(subsets))


def test_it_holds_for_very_many_samples() -> None:
    assert pass_at_k(100_000, 1, 100) == pytest.approx(100 / 100_000)
    assert pass_at_k(100_000, 50_000, 1) == pytest.approx(0.5)


@pytest.mark.parametrize(("n", "c", "k"), [(3, 4, 1), (3, -1, 1), (3, 1, 4), (3, 1, 0)])
def test_impossible_counts_raise(n: int, c: int, k: int) -> None:
    with pytest.raises(ValueError, match=f"pass@{k}"):
        pass_at_k(n, c, k)


def test_tasks_with_too_few_samples_are_left_out() -> None:
    assert mean_pass_at_k([(2, 1), (1, 1)], 2) == 1.0
    assert mean_pass_at_k([(1, 1)], 2) is None


def test_the_standard_error_is_over_tasks() -> None:
    assert standard_error([(1, 1), (1, 0), (1, 1), (1, 0)], 1) == pytest.approx((1 / 3) ** 0.5 / 2)
    assert standard_error([(1, 1)], 1) is None
