"""Completions: a policy goes on with programs that others began.

Each draws its random numbers from a seed of its own, so what comes of it does not depend on what else is in the batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn.utils.rnn import pad_sequence

from trainer.policies.decoding import decode, nucleus
from trainer.policies.models import ModelPolicy
from trainer.policies.spans import decode as decode_text


@dataclass(frozen=True, slots=True)
class Beginning:
    """A program for `prompt` that begins with `prefix`; at most `max_new_tokens` follow. `seed` >= 0."""

    prompt: str
    prefix: str
    seed: int
    max_new_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0


@dataclass(frozen=True, slots=True)
class Completion:
    """What the policy wrote behind the prefix, of how many tokens; `finished`: it ended the program by itself."""

    text: str
    tokens: int
    finished: bool


def complete(policy: ModelPolicy, beginnings: Sequence[Beginning]) -> list[Completion]:
    """One completion for each beginning, all in one batch: those of similar length are best kept together."""
    prefixes = [policy.tokenizer(each.prefix, add_special_tokens=False).input_ids for each in beginnings]
    limits = [len(prefix) + each.max_new_tokens for prefix, each in zip(prefixes, beginnings, strict=True)]
    decoded = decode(
        policy.model,
        policy.layout,
        policy.layout.prompt_ids(policy.tokenizer, [each.prompt for each in beginnings]),
        end_ids=policy.layout.end_ids,
        pad_id=policy.tokenizer.pad_token_id,
        max_new_tokens=max(limits),
        pick=_Pick(beginnings, prefixes, max(limits), policy.device),
    )
    rows = [row[real].tolist()[:limit] for row, real, limit in zip(decoded.ids, decoded.mask, limits, strict=True)]
    return [_completion(policy, row, prefix) for row, prefix in zip(rows, prefixes, strict=True)]


def _completion(policy: ModelPolicy, row: list[int], prefix: list[int]) -> Completion:
    program = policy.without_end(row)
    whole, begun = decode_text(policy.tokenizer, program), decode_text(policy.tokenizer, prefix)
    return Completion(whole[len(begun) :], tokens=len(row) - len(prefix), finished=len(program) < len(row))


class _Pick:
    """Gives the prefix's tokens as long as there are any, then draws by inverting the cumulative distribution."""

    def __init__(
        self, beginnings: Sequence[Beginning], prefixes: Sequence[list[int]], steps: int, device: torch.device
    ) -> None:
        rows = [torch.tensor(prefix, dtype=torch.long) for prefix in prefixes]
        self._prefixes = pad_sequence(rows, batch_first=True).to(device)
        self._lengths = torch.tensor([len(prefix) for prefix in prefixes], device=device)
        generators = [torch.Generator().manual_seed(each.seed) for each in beginnings]
        self._draws = torch.stack([torch.rand(steps, generator=each) for each in generators]).to(device)
        self._temperatures = torch.tensor([[each.temperature] for each in beginnings], device=device)
        self._top_ps = torch.tensor([[each.top_p] for each in beginnings], device=device)

    def __call__(self, logits: torch.Tensor, step: int, rows: torch.Tensor) -> torch.Tensor:
        is_greedy = self._temperatures[rows, 0] == 0
        tokens = torch.where(is_greedy, logits.argmax(dim=-1), self._drawn(logits, step, rows))
        if step >= self._prefixes.shape[1]:
            return tokens
        return torch.where(step < self._lengths[rows], self._prefixes[rows, step], tokens)

    def _drawn(self, logits: torch.Tensor, step: int, rows: torch.Tensor) -> torch.Tensor:
        probabilities = torch.softmax(logits / self._temperatures[rows].clamp(min=1e-6), dim=-1)
        if (self._top_ps < 1).any():
            probabilities = nucleus(probabilities, self._top_ps[rows])
        reached = probabilities.cumsum(dim=-1)
        # Each row counts from its own step, not the batch's, or a neighbour's longer prefix would move its numbers.
        own = (step - self._lengths[rows]).clamp(min=0)
        draws = self._draws[rows].gather(1, own[:, None]) * reached[:, -1:]
        return torch.searchsorted(reached, draws, right=True).squeeze(1).clamp(max=logits.shape[-1] - 1)
