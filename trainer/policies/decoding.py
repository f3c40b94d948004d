"""Batched decoding with a key-value cache.

Not `generate`: a published checkpoint brings its own warpers (top-k, repetition penalty) that would make the sampled
distribution another than the one whose log-probabilities PPO takes; here it is the model's own, and whoever calls says
where the random numbers come from. A prompt that several rows share is read once; rows that have ended leave the batch.
Leaves out: beams, stop strings, static caches.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers.modeling_outputs import BaseModelOutput

from trainer.policies.layouts import Inputs, Layout

_WORTH_LEAVING = 0.75
"""Ended rows leave when no more than this share is still written: each leaving copies the cache."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """Tensors `[batch, response]`: ids, mask (True up to and with the first token that ends), log-probabilities."""

    ids: torch.Tensor
    mask: torch.Tensor
    logprobs: torch.Tensor


Pick = Callable[[torch.Tensor, int, torch.Tensor], torch.Tensor]
"""From logits `[rows, vocabulary]`, the number of tokens before them and the rows' places in the batch, `[rows]`,
to one token each, `[rows]`."""


@torch.no_grad()
def decode(
    model: Any,
    layout: Layout,
    prompts: Sequence[Sequence[int]],
    *,
    end_ids: Collection[int],
    pad_id: int,
    max_new_tokens: int,
    pick: Pick,
) -> Decoded:
    """Write until every row has ended; log-probabilities are the model's own, at temperature 1, 0 behind the end."""
    shape = len(prompts), max_new_tokens
    ids = torch.full(shape, pad_id, device=model.device)
    mask = torch.zeros(shape, dtype=torch.bool, device=model.device)
    logprobs = torch.zeros(shape, device=model.device)
    ends = torch.tensor(sorted(end_ids), device=model.device)
    rows = torch.arange(len(prompts), device=model.device)
    written = torch.ones_like(rows, dtype=torch.bool)
    distinct = list(dict.fromkeys(map(tuple, prompts)))
    inputs = layout.opening(model, distinct)
    places = torch.tensor([distinct.index(tuple(prompt)) for prompt in prompts], device=model.device)
    for column in range(max_new_tokens):
        outputs = model(**inputs, use_cache=True)
        logits = outputs.logits[:, -1].float()
        if column == 0 and len(distinct) < len(prompts):
            outputs.past_key_values.batch_select_indices(places)
            inputs, logits = _rows(inputs, places), logits[places]
        tokens = pick(logits, column, rows)
        alive = rows[written]
        ids[alive, column] = tokens[written]
        mask[alive, column] = True
        logprobs[alive, column] = logits.log_softmax(dim=-1).gather(-1, tokens[:, None])[written, 0]
        written = written & ~torch.isin(tokens, ends)
        if not written.any():
            break
        inputs = layout.following(inputs, outputs, tokens)
        if written.float().mean() <= _WORTH_LEAVING:
            inputs["past_key_values"].batch_select_indices(written)
            inputs, rows, written = _rows(inputs, written), rows[written], written[written]
    width = int(mask.sum(dim=1).max())
    return Decoded(ids[:, :width], mask[:, :width], logprobs[:, :width])


def _rows(inputs: Inputs, rows: torch.Tensor) -> Inputs:
    """The inputs of some rows; the key-value cache is left to the caller."""
    picked = dict(inputs)
    for name, value in inputs.items():
        if name == "encoder_outputs":
            picked[name] = BaseModelOutput(value.last_hidden_state[rows])
        elif isinstance(value, torch.Tensor):
            picked[name] = value[rows]
    return picked


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
