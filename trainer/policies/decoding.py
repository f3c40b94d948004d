"""Batched decoding with a key-value cache.

Not `generate`: a published checkpoint brings its own warpers (top-k, repetition penalty) that would make the sampled
distribution another than the one whose log-probabilities PPO takes; here it is the model's own, and whoever calls says
where the random numbers come from. Leaves out: beams, stop strings, static caches.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from trainer.policies.layouts import Layout

Pick = Callable[[torch.Tensor, int], torch.Tensor]
"""From logits `[batch, vocabulary]` and the number of tokens before them to one token a row, `[batch]`."""


@torch.no_grad()
def decode(
    model: Any,
    layout: Layout,
    prompts: Sequence[Sequence[int]],
    *,
    eos_id: int,
    pad_id: int,
    max_new_tokens: int,
    pick: Pick,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids `[batch, response]` and mask (True up to and with the first `eos_id`), stopping when every row has ended."""
    inputs = layout.opening(model, prompts)
    alive = torch.ones(len(prompts), dtype=torch.bool, device=model.device)
    ids, mask = [], []
    for step in range(max_new_tokens):
        outputs = model(**inputs, use_cache=True)
        tokens = pick(outputs.logits[:, -1].float(), step)
        tokens = torch.where(alive, tokens, pad_id)
        ids.append(tokens)
        mask.append(alive)
        alive = alive & (tokens != eos_id)
        if not alive.any():
            break
        inputs = layout.following(inputs, outputs, tokens)
    return torch.stack(ids, dim=1), torch.stack(mask, dim=1)


def choose(
    logits: torch.Tensor, temperature: float, top_p: float = 1.0, generator: torch.Generator | None = None
) -> torch.Tensor:
    """One token a row, `[batch]`, from logits `[batch, vocabulary]`; temperature 0 takes the largest.

    Sampling is a race: the token whose exponential clock, with its probability as rate, rings first.
    """
    if temperature == 0:
        return logits.argmax(dim=-1)
    probabilities = torch.softmax(logits / temperature, dim=-1)
    if top_p < 1:
        probabilities = nucleus(probabilities, top_p)
    clocks = torch.empty_like(probabilities).exponential_(generator=generator)
    return (probabilities / clocks).argmax(dim=-1)


def nucleus(probabilities: torch.Tensor, top_p: float | torch.Tensor) -> torch.Tensor:
    """Zero all but the smallest set of tokens whose probability reaches `top_p`; at least the likeliest stays.

    `top_p` is one number, or one a row, `[batch, 1]`. Holtzman et al. 2020, https://arxiv.org/abs/1904.09751. The rest
    is not normalised again: the race needs no sum.
    """
    ordered, order = probabilities.sort(dim=-1, descending=True)
    before = ordered.cumsum(dim=-1) - ordered
    kept = torch.where(before < top_p, ordered, 0.0)
    return torch.zeros_like(probabilities).scatter(-1, order, kept)
