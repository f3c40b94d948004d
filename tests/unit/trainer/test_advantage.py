"""Advantage estimation and whitening, against numbers worked out by hand and against what must hold always."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.advantage import (
    centred_by_group,
    gae,
    line_credit,
    masked_mean,
    masked_variance,
    masked_whiten,
    scaled,
    step_lambdas,
)

numbers = st.floats(-5, 5, width=32)


def row(*values: float) -> torch.Tensor:
    return torch.tensor([values])


def test_gae_by_hand() -> None:
    """delta = (0 + .5*.2 - .4, 0 + .5*.6 - .2, 1 - .6) = (-.3, .1, .4); lambda gamma = .25."""
    advantages, returns = gae(row(0, 0, 1), row(0.4, 0.2, 0.6), row(1, 1, 1).bool(), gamma=0.5, lam=0.5)
    torch.testing.assert_close(advantages, row(-0.3 + 0.25 * 0.2, 0.1 + 0.25 * 0.4, 0.4))
    torch.testing.assert_close(returns, row(0.15, 0.4, 1.0))


def test_padding_behind_a_row_neither_gives_nor_takes() -> None:
    mask = torch.tensor([[True, True, False], [True, True, True]])
    rewards = torch.tensor([[0.0, 1.0, 99.0], [0.0, 0.0, 1.0]])
    values = torch.tensor([[0.5, 0.5, 77.0], [0.5, 0.5, 0.5]])
    advantages, returns = gae(rewards, values, mask, gamma=1.0, lam=1.0)
    torch.testing.assert_close(advantages, torch.tensor([[0.5, 0.5, 0.0], [0.5, 0.5, 0.5]]))
    torch.testing.assert_close(returns, torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]]))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=8), st.floats(0, 1), st.floats(0, 1), st.data())
def test_a_masked_position_is_as_good_as_none_wherever_it_stands(
    tokens: list[tuple[float, float]], gamma: float, lam: float, data: st.DataObject
) -> None:
    holes = data.draw(st.lists(st.integers(0, len(tokens)), max_size=4))
    padded: list[tuple[float, float, bool]] = [(reward, value, True) for reward, value in tokens]
    for hole in sorted(holes, reverse=True):
        padded.insert(hole, (9.0, -9.0, False))
    rewards, values, mask = (torch.tensor([column]) for column in zip(*padded, strict=True))
    plain = gae(
        row(*(r for r, _ in tokens)), row(*(v for _, v in tokens)), torch.ones(1, len(tokens)).bool(), gamma, lam
    )
    for with_holes, without in zip(gae(rewards, values, mask, gamma, lam), plain, strict=True):
        torch.testing.assert_close(with_holes[mask], without[0])
        assert not with_holes[~mask].any()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=8), st.floats(0, 1))
def test_lambda_one_gives_the_discounted_sum_of_rewards(tokens: list[tuple[float, float]], gamma: float) -> None:
    rewards = [reward for reward, _ in tokens]
    _, returns = gae(row(*rewards), row(*(value for _, value in tokens)), torch.ones(1, len(tokens)).bool(), gamma, 1.0)
    expected = [sum(gamma**k * reward for k, reward in enumerate(rewards[t:])) for t in range(len(rewards))]
    torch.testing.assert_close(returns, row(*expected), atol=1e-4, rtol=1e-4)


def test_lambda_zero_is_the_one_step_error() -> None:
    advantages, _ = gae(row(1.0, 2.0), row(3.0, 5.0), row(1, 1).bool(), gamma=0.5, lam=0.0)
    torch.testing.assert_close(advantages, row(1 + 0.5 * 5 - 3, 2.0 - 5))


def test_mean_and_variance_count_real_tokens_only() -> None:
    x, mask = torch.tensor([[1.0, 3.0, 1e9]]), torch.tensor([[True, True, False]])
    assert masked_mean(x, mask).item() == 2.0
    assert masked_variance(x, mask).item() == 2.0  # unbiased: ((1-2)^2 + (3-2)^2) / 1


def test_whitening_by_hand() -> None:
    whitened = masked_whiten(torch.tensor([[1.0, 3.0, 1e9]]), torch.tensor([[True, True, False]]))
    torch.testing.assert_close(whitened, row(-1 / math.sqrt(2), 1 / math.sqrt(2), 0.0))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-50, 50), min_size=3, max_size=20, unique=True), st.floats(0.1, 9), numbers)
def test_whitening_forgets_scale_and_shift(values: list[int], scale: float, shift: float) -> None:
    x, mask = row(*map(float, values)), torch.ones(1, len(values)).bool()
    mask[0, -1] = False
    whitened = masked_whiten(x, mask)
    torch.testing.assert_close(masked_whiten(scale * x + shift, mask), whitened, atol=1e-3, rtol=1e-3)
    assert masked_mean(whitened, mask).item() == pytest.approx(0, abs=1e-4)
    assert masked_variance(whitened, mask).item() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("values", [[2.0], [2.0, 2.0, 2.0]])
def test_whitening_what_does_not_vary_gives_zeros(values: list[float]) -> None:
    assert masked_whiten(row(*values), torch.ones(1, len(values)).bool()).abs().max().item() == 0


def test_a_groups_mean_is_taken_off_its_real_tokens() -> None:
    x = torch.tensor([[1.0, 3.0], [5.0, 1e9], [7.0, 9.0]])
    mask = torch.tensor([[True, True], [True, False], [True, True]])
    centred = centred_by_group(x, mask, ["sum", "sort", "sum"])
    torch.testing.assert_close(centred, torch.tensor([[-4.0, -2.0], [0.0, 0.0], [2.0, 4.0]]))


STEPS = torch.tensor([[0, 0, 1, 1, 2], [0, 1, 1, 1, 1]])


def test_a_steps_tokens_share_what_it_earns_and_get_so_much_of_what_comes_after() -> None:
    rewards = torch.tensor([[0.0, 1.0, 0.0, 10.0, 100.0], [1.0, 0.0, 0.0, 10.0, 0.0]])
    mask = torch.tensor([[True] * 5, [True] * 4 + [False]])

    def advantages(lam: float) -> torch.Tensor:
        return gae(rewards, torch.zeros(2, 5), mask, gamma=1.0, lam=step_lambdas(STEPS, lam))[0]

    torch.testing.assert_close(
        advantages(0.0), torch.tensor([[1.0, 1.0, 10.0, 10.0, 100.0], [1.0, 10.0, 10.0, 10.0, 0.0]])
    )
    torch.testing.assert_close(
        advantages(0.5), torch.tensor([[31.0, 31.0, 60.0, 60.0, 100.0], [6.0, 10.0, 10.0, 10.0, 0.0]])
    )


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=8), st.floats(0, 1), st.floats(0, 1))
def test_where_every_token_is_a_step_lambda_is_the_tokens(
    tokens: list[tuple[float, float]], gamma: float, lam: float
) -> None:
    rewards, values = (row(*column) for column in zip(*tokens, strict=True))
    known = rewards, values, torch.ones(1, len(tokens)).bool(), gamma
    by_step = step_lambdas(torch.arange(len(tokens))[None], lam)
    torch.testing.assert_close(gae(*known, by_step), gae(*known, lam))


def test_centring_by_step_takes_each_steps_own_mean() -> None:
    x = torch.tensor([[1.0, 3.0, 5.0, 5.0, 9.0], [2.0, 7.0, 7.0, 7.0, 99.0]])
    mask = torch.tensor([[True] * 5, [True] * 4 + [False]])
    centred = centred_by_group(x, mask, ["sum", "sum"], STEPS)
    torch.testing.assert_close(centred, torch.tensor([[-1.0, 1.0, -1.2, -1.2, 0.0], [0.0, 0.8, 0.8, 0.8, 0.0]]))
    alone = centred_by_group(x, mask, ["sum", "sort"], STEPS)
    torch.testing.assert_close(alone[0], torch.tensor([-1.0, 1.0, 0.0, 0.0, 0.0]))


NONE = float("nan")
SCORES = torch.tensor([[0.9, 0.9, 0.1, 0.1, NONE], [0.5, 0.7, 0.7, 0.7, NONE]])


def test_line_credit_goes_to_steps_that_do_better_than_the_same_step_of_the_others() -> None:
    mask = torch.ones(2, 5).bool()
    credit = line_credit(SCORES, mask, torch.tensor([[0, 0, 1, 1, 2], [0, 1, 1, 1, 2]]), ["sum", "sum"])
    assert (credit[0, :2] > 0).all() and (credit[0, 2:4] < 0).all()
    assert credit[1, 0] < 0 and (credit[1, 1:4] > 0).all()
    assert credit[:, 4].tolist() == [0.0, 0.0]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([["sum", "sum", "sort", "sort"], None]))
def test_line_credit_gives_no_program_anything_however_long_it_is(seed: int, groups: list[str] | None) -> None:
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, 12, (4, 1), generator=generator)
    mask = torch.arange(12) < lengths
    steps = torch.arange(12).expand(4, 12) // 3
    by_step = torch.rand((4, 4), generator=generator)
    scores = by_step.gather(1, steps).masked_fill(torch.arange(12) == lengths - 1, NONE)
    credit = line_credit(scores, mask, steps, groups)
    torch.testing.assert_close(credit.sum(dim=1), torch.zeros(4), atol=1e-5, rtol=0)
    assert not credit[~mask].any()


def test_a_program_alone_has_nothing_to_be_held_against() -> None:
    credit = line_credit(SCORES, torch.ones(2, 5).bool(), STEPS, ["sum", "sort"])
    torch.testing.assert_close(credit, torch.zeros(2, 5))


def test_without_groups_a_line_is_held_against_its_own_program() -> None:
    credit = line_credit(SCORES, torch.ones(2, 5).bool(), STEPS)
    torch.testing.assert_close(credit[0], torch.tensor([0.4, 0.4, -0.4, -0.4, 0.0]))
    torch.testing.assert_close(credit[1], torch.tensor([-0.15, 0.05, 0.05, 0.05, 0.0]))


def test_what_is_scaled_has_a_deviation_of_one_and_keeps_its_signs() -> None:
    x, mask = torch.tensor([[1.0, -3.0, 100.0]]), torch.tensor([[True, True, False]])
    loud = scaled(x, mask)
    assert masked_variance(loud, mask).item() == pytest.approx(1)
    assert loud[0, 0] > 0 > loud[0, 1]
