"""PPO's losses and what is watched beside them: pure functions on `[batch, response]`, a mask's True = a real token.

Every mean is over real tokens only, the statistics' too.
"""

from typing import Literal

import torch

from trainer.advantage import masked_mean, masked_variance

KlEstimator = Literal["k1", "k2", "k3"]


def policy_loss(
    logprobs: torch.Tensor,
    old_logprobs: torch.Tensor,
    advantages: torch.Tensor,
    mask: torch.Tensor,
    clip: float,
    *,
    clip_high: float | None = None,
    dual_clip: float | None = None,
) -> torch.Tensor:
    """The clipped surrogate, to be minimised; a scalar.

    -mean min(rho_t A_t, clamp(rho_t, 1 - clip, 1 + clip) A_t) with rho_t = pi(a_t|s_t) / pi_old(a_t|s_t): equation 7
    of Schulman et al. 2017, https://arxiv.org/abs/1707.06347. `clip_high`: another bound above 1 (DAPO's clip-higher,
    https://arxiv.org/abs/2503.14476). `dual_clip` c > 1: where A_t < 0 the surrogate is at least c A_t, so that a large
    ratio cannot run away (equation 5 of Ye et al. 2019, https://arxiv.org/abs/1912.09729).
    """
    ratio = _ratio(logprobs, old_logprobs, mask)
    clipped = ratio.clamp(1 - clip, 1 + (clip if clip_high is None else clip_high))
    surrogate = torch.minimum(ratio * advantages, clipped * advantages)
    if dual_clip is not None:
        surrogate = torch.where(advantages < 0, torch.maximum(surrogate, dual_clip * advantages), surrogate)
    return masked_mean(-surrogate, mask)


def value_loss(
    values: torch.Tensor, old_values: torch.Tensor, returns: torch.Tensor, mask: torch.Tensor, clip: float
) -> torch.Tensor:
    """Half the mean squared error, values held within `clip` of those of the rollout; a scalar.

    The worse of the clipped and the plain error counts, as in OpenAI's baselines:
    https://github.com/openai/baselines/blob/master/baselines/ppo2/model.py. An infinite `clip` clips nothing.
    """
    clipped = old_values + (values - old_values).clamp(-clip, clip)
    return masked_mean(0.5 * torch.maximum((values - returns) ** 2, (clipped - returns) ** 2), mask)


def kl(logprobs: torch.Tensor, ref_logprobs: torch.Tensor, estimator: KlEstimator = "k1") -> torch.Tensor:
    """An estimate of KL(pi || pi_ref) at each token that was sampled from pi, `[batch, response]`.

    With r = pi_ref/pi: k1 = -log r (unbiased, may be negative), k2 = (log r)^2 / 2, k3 = r - 1 - log r (unbiased,
    never negative). Schulman 2020, http://joschu.net/blog/kl-approx.html.
    """
    log_ratio = ref_logprobs - logprobs
    if estimator == "k1":
        return -log_ratio
    if estimator == "k2":
        return 0.5 * log_ratio**2
    return log_ratio.exp() - 1 - log_ratio


def approx_kl(logprobs: torch.Tensor, old_logprobs: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """How far an update has moved the policy: the mean of k2, a scalar."""
    return masked_mean(kl(logprobs, old_logprobs, "k2"), mask)


def clip_fractions(
    logprobs: torch.Tensor,
    old_logprobs: torch.Tensor,
    advantages: torch.Tensor,
    mask: torch.Tensor,
    clip: float,
    clip_high: float | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The shares of real tokens that the clip binds below and above, two scalars.

    Below: the ratio fell under 1 - clip and the advantage would have it fall further; above, the other way round.
    """
    ratio = _ratio(logprobs, old_logprobs, mask)
    low = (ratio < 1 - clip) & (advantages < 0)
    high = (ratio > 1 + (clip if clip_high is None else clip_high)) & (advantages > 0)
    return masked_mean(low.float(), mask), masked_mean(high.float(), mask)


def value_clip_fraction(
    values: torch.Tensor, old_values: torch.Tensor, returns: torch.Tensor, mask: torch.Tensor, clip: float
) -> torch.Tensor:
    """The share of real tokens at which the clipped error is the worse one, a scalar."""
    clipped = old_values + (values - old_values).clamp(-clip, clip)
    return masked_mean(((clipped - returns) ** 2 > (values - returns) ** 2).float(), mask)


def mean_ratio(logprobs: torch.Tensor, old_logprobs: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The mean of pi / pi_old, a scalar: 1 as long as nothing was learnt."""
    return masked_mean(_ratio(logprobs, old_logprobs, mask), mask)


def explained_variance(values: torch.Tensor, returns: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """1 - Var(returns - values) / Var(returns), a scalar: 1 is perfect, 0 is no better than a constant.

    NaN where the returns do not vary.
    """
    variance = masked_variance(returns, mask)
    return torch.where(variance > 0, 1 - masked_variance(returns - values, mask) / variance, torch.nan)


def _ratio(logprobs: torch.Tensor, old_logprobs: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """pi / pi_old, 1 at masked positions, where a stray log-probability could overflow and spoil the gradient."""
    return torch.where(mask, logprobs - old_logprobs, 0).exp()
