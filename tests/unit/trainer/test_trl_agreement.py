"""Where TRL 1.13 still has PPO's arithmetic, ours says the same.

Its PPO trainer is gone, and GAE and whitening with it. Left are the clipped token loss behind GRPO, k3, the selected
log-probabilities and the entropy. TRL's old flaws, an entropy and an approximate KL that counted padding, have no heir
there to be compared with; ours are masked (`test_loss`).
"""

from typing import Any

import pytest
import torch
from trl.losses import FusedLinearGRPOLoss
from trl.trainer.utils import entropy_from_logits, selective_log_softmax

from trainer.advantage import masked_mean
from trainer.loss import kl, policy_loss
from trainer.policies.models import token_logprobs


@pytest.fixture
def case() -> dict[str, Any]:
    """States, vocabulary matrix and what was sampled: two rows, the second with padding."""
    generator = torch.Generator().manual_seed(0)
    states = torch.randn(2, 6, 8, generator=generator)
    weight = torch.randn(20, 8, generator=generator, requires_grad=True)
    ids = torch.randint(20, (2, 6), generator=generator)
    mask = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0]]).bool()
    logprobs, _ = token_logprobs(states @ weight.T, ids)
    old = logprobs.detach() + torch.randn(2, 6, generator=generator) * 0.5
    ref = logprobs.detach() + torch.randn(2, 6, generator=generator) * 0.2
    return {"states": states, "weight": weight, "ids": ids, "mask": mask, "logprobs": logprobs, "old": old, "ref": ref}


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_logprobs_and_entropy(case: dict[str, Any], temperature: float) -> None:
    logits = (case["states"] @ case["weight"].T).detach()
    logprobs, entropy = token_logprobs(logits, case["ids"], temperature)
    torch.testing.assert_close(logprobs, selective_log_softmax(logits / temperature, case["ids"]))
    torch.testing.assert_close(entropy, entropy_from_logits(logits / temperature))


@pytest.mark.parametrize(("clip_high", "dual_clip", "beta"), [(0.2, None, 0.0), (0.3, None, 0.1), (0.28, 1.5, 0.05)])
def test_the_clipped_loss_with_k3_and_its_gradient(
    case: dict[str, Any], clip_high: float, dual_clip: float | None, beta: float
) -> None:
    """TRL's `bnpo` is the mean over real tokens, its `delta` what is elsewhere called the dual clip."""
    advantages = torch.tensor([1.3, -0.8])
    theirs = FusedLinearGRPOLoss(
        beta=beta, compiled=False, use_ref_model=True, epsilon_low=0.2, epsilon_high=clip_high, loss_type="bnpo",
        delta=dual_clip, chunk_size=2,
    )(
        case["states"], case["weight"], case["ids"], case["mask"].long(), advantages,
        ref_per_token_logps=case["ref"], old_per_token_logps=case["old"],
    )[0]  # fmt: skip
    ours = policy_loss(
        case["logprobs"], case["old"], advantages[:, None].expand(2, 6), case["mask"], 0.2,
        clip_high=clip_high, dual_clip=dual_clip,
    ) + beta * masked_mean(kl(case["logprobs"], case["ref"], "k3"), case["mask"])  # fmt: skip
    torch.testing.assert_close(ours, theirs)
    gradients = [torch.autograd.grad(loss, case["weight"], retain_graph=True)[0] for loss in (ours, theirs)]
    torch.testing.assert_close(*gradients, atol=1e-5, rtol=1e-4)
