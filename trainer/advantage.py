"""Generalised advantage estimation and whitening: pure functions on `[batch, response]`, a mask's True = a real token.

A masked position is skipped as if it were not there: padding, wherever it stands, changes nothing.
"""

from collections.abc import Sequence

import torch


def gae(
    rewards: torch.Tensor, values: torch.Tensor, mask: torch.Tensor, gamma: float, lam: float | torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Advantages and returns, both `[batch, response]`, 0 where `mask` is False.

    A_t = sum_l (gamma lam)^l delta_(t+l) with delta_t = r_t + gamma V(s_(t+1)) - V(s_t); the value behind a row's
    last real token is 0. A return is the advantage plus the value. Equations 11 and 12 of Schulman et al. 2016,
    https://arxiv.org/abs/1506.02438. A `lam` `[batch, response]` says for each token what it takes of the next one's
    advantage, as `step_lambdas` makes it.
    """
    kept = gamma * torch.as_tensor(lam, dtype=values.dtype, device=values.device).expand(values.shape)
    advantages = torch.zeros_like(values)
    advantage = torch.zeros_like(values[:, 0])
    next_value = torch.zeros_like(values[:, 0])
    for t in reversed(range(values.shape[1])):
        real = mask[:, t]
        delta = rewards[:, t] + gamma * next_value - values[:, t]
        advantage = torch.where(real, delta + kept[:, t] * advantage, advantage)
        next_value = torch.where(real, values[:, t], next_value)
        advantages[:, t] = torch.where(real, advantage, 0)
    return advantages, torch.where(mask, advantages + values, 0)


def step_lambdas(steps: torch.Tensor, lam: float) -> torch.Tensor:
    """`lam` at the last token of each step and 1 within it, `[batch, response]`; `steps` numbers each token's step.

    So all of a step's tokens share what it earns, and with 0 nothing of what later ones do.
    """
    ends = torch.zeros_like(steps, dtype=torch.bool)
    ends[:, :-1] = steps[:, 1:] != steps[:, :-1]
    return torch.where(ends, lam, 1.0)


def masked_mean(x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The mean of the real positions, a scalar; NaN where there is none."""
    return torch.where(mask, x, 0).sum() / mask.sum()


def masked_variance(x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The unbiased variance of the real positions, a scalar; 0 where there are fewer than two."""
    squares = torch.where(mask, (x - masked_mean(x, mask)) ** 2, 0)
    return squares.sum() / (mask.sum() - 1).clamp(min=1)


def masked_whiten(x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """`x` moved and scaled to mean 0 and variance 1 over all real positions of the batch, 0 where `mask` is False."""
    whitened = (x - masked_mean(x, mask)) * torch.rsqrt(masked_variance(x, mask) + 1e-8)
    return torch.where(mask, whitened, 0)


def centred_by_group(
    x: torch.Tensor, mask: torch.Tensor, groups: Sequence[object], steps: torch.Tensor | None = None
) -> torch.Tensor:
    """`x` less the mean of the real positions of its row's group; `groups` names each row's, equal ones are one.

    With `steps`, which numbers each token's step, it is the mean over the same step of the group's rows.
    """
    places = {name: at for at, name in enumerate(dict.fromkeys(groups))}
    group = torch.tensor([places[name] for name in groups], device=x.device)[:, None].expand(x.shape)
    if steps is not None:
        group = group * (int(steps.max()) + 1) + steps
    sums = torch.zeros(2, int(group.max()) + 1, device=x.device, dtype=x.dtype)
    sums[0].index_add_(0, group[mask], x[mask])
    sums[1].index_add_(0, group[mask], torch.ones_like(x[mask]))
    means = sums[0] / sums[1].clamp(min=1)
    return torch.where(mask, x - means[group], 0)


def line_credit(
    step_rewards: torch.Tensor, mask: torch.Tensor, steps: torch.Tensor, groups: Sequence[object] | None = None
) -> torch.Tensor:
    """Advantages that move credit among a program's lines and give it none, `[batch, response]`.

    What a step earns, which all of its tokens bear (NaN = of no step), less, where there are `groups`, the mean of the
    same step of the group's rows; and that less its mean over the row's tokens: every row adds up to 0.
    """
    real = mask & ~step_rewards.isnan()
    centred = step_rewards.nan_to_num()
    if groups is not None:
        centred = centred_by_group(centred, real, groups, steps)
    means = torch.where(real, centred, 0).sum(dim=1, keepdim=True) / real.sum(dim=1, keepdim=True).clamp(min=1)
    return torch.where(real, centred - means, 0)


def scaled(x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """`x` over the standard deviation of its real positions."""
    return x * torch.rsqrt(masked_variance(x, mask) + 1e-8)
