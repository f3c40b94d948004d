"""PPO's losses, against numbers worked out by hand."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.loss import (
    approx_kl,
    clip_fractions,
    explained_variance,
    kl,
    mean_ratio,
    policy_loss,
    value_loss,
)

MASK = torch.tensor([[True, True, True, True, False]])
OLD = torch.zeros(1, 5)
NEW = torch.tensor([[1.5, 1.5, 0.5, 0.5, 1e30]]).log()
ADVANTAGES = torch.tensor([[1.0, -1.0, 1.0, -1.0, 1e30]])


def test_policy_loss_by_hand() -> None:
    """Ratios 1.5, 1.5, .5, .5: the clip at .2 binds where it makes the surrogate worse: 1.2, -1.5, .5, -.8."""
    assert policy_loss(NEW, OLD, ADVANTAGES, MASK, clip=0.2).item() == pytest.approx(-(1.2 - 1.5 + 0.5 - 0.8) / 4)


def test_policy_gradient_at_the_rollout_is_the_advantages() -> None:
    logprobs = torch.zeros(1, 5, requires_grad=True)
    policy_loss(logprobs, OLD, ADVANTAGES, MASK, clip=0.2).backward()
    torch.testing.assert_close(logprobs.grad, torch.tensor([[-0.25, 0.25, -0.25, 0.25, 0.0]]))


def test_a_clipped_token_has_no_gradient() -> None:
    logprobs = NEW.clone().requires_grad_()
    policy_loss(logprobs, OLD, ADVANTAGES, MASK, clip=0.2).backward()
    torch.testing.assert_close(logprobs.grad, torch.tensor([[0.0, 1.5 / 4, -0.5 / 4, 0.0, 0.0]]))


def test_infinities_behind_the_mask_spoil_nothing() -> None:
    logprobs = torch.tensor([[-1.0, math.inf]], requires_grad=True)
    old = torch.tensor([[-1.0, -math.inf]])
    loss = policy_loss(logprobs, old, torch.ones(1, 2), torch.tensor([[True, False]]), clip=0.2)
    loss.backward()
    assert loss.item() == -1.0
    assert logprobs.grad.tolist() == [[-1.0, 0.0]]


def test_value_loss_takes_the_worse_of_clipped_and_plain() -> None:
    """Values went from 0 to 1, clipped to .2: with a return of 0 the plain error is worse, with 1 the clipped one."""
    values, old, returns = torch.tensor([[1.0, 1.0]]), torch.zeros(1, 2), torch.tensor([[0.0, 1.0]])
    mask = torch.ones(1, 2).bool()
    worse = (max(1.0**2, 0.2**2), max(0.0**2, 0.8**2))
    assert value_loss(values, old, returns, mask, clip=0.2).item() == pytest.approx(0.5 * sum(worse) / 2)
    assert value_loss(values, old, returns, mask, clip=math.inf).item() == pytest.approx(0.5 * (1 + 0) / 2)


def test_kl_estimators_by_hand() -> None:
    logprobs, ref = torch.tensor([[math.log(0.5)]]), torch.tensor([[math.log(0.25)]])
    assert kl(logprobs, ref, "k1").item() == pytest.approx(math.log(2))
    assert kl(logprobs, ref, "k2").item() == pytest.approx(math.log(2) ** 2 / 2)
    assert kl(logprobs, ref, "k3").item() == pytest.approx(0.5 - 1 + math.log(2))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.05, 1), min_size=2, max_size=6), st.lists(st.floats(0.05, 1), min_size=6, max_size=6))
def test_k1_and_k3_are_unbiased_and_k2_and_k3_never_negative(p: list[float], q: list[float]) -> None:
    policy = torch.tensor(p, dtype=torch.float64).softmax(0)
    reference = torch.tensor(q[: len(p)], dtype=torch.float64).softmax(0)
    truth = (policy * (policy / reference).log()).sum()
    estimates = {name: kl(policy.log(), reference.log(), name) for name in ("k1", "k2", "k3")}
    torch.testing.assert_close((policy * estimates["k1"]).sum(), truth)
    torch.testing.assert_close((policy * estimates["k3"]).sum(), truth)
    assert (estimates["k2"] >= 0).all()
    assert (estimates["k3"] >= -1e-12).all()


def test_statistics_count_real_tokens_only() -> None:
    mask = torch.tensor([[True, True, False]])
    new = torch.tensor([[math.log(1.5), 0.0, 50.0]])
    old = torch.zeros(1, 3)
    assert approx_kl(new, old, mask).item() == pytest.approx(0.5 * math.log(1.5) ** 2 / 2)
    rising = torch.ones(1, 3)
    assert [each.item() for each in clip_fractions(new, old, rising, mask, clip=0.2)] == [0.0, 0.5]
    assert [each.item() for each in clip_fractions(new, old, -rising, mask, clip=0.2)] == [0.0, 0.0]
    assert mean_ratio(new, old, mask).item() == pytest.approx(1.25)


def test_explained_variance() -> None:
    returns, mask = torch.tensor([[1.0, 2.0, 3.0, 9.0]]), torch.tensor([[True, True, True, False]])
    assert explained_variance(returns, returns, mask).item() == 1.0
    assert explained_variance(torch.full((1, 4), 2.0), returns, mask).item() == 0.0
    assert math.isnan(explained_variance(returns, torch.ones(1, 4), mask).item())
