"""Rollouts of one prompt in one pass: the prompt is read once, and all of them see its keys and values.

`batches_of` brings them together, `shared_prompt` finds them in a batch. Leaves out: tensors, and whether a model can
do it (`services.scorer.prm.Prm.shares_prompts`).
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from services.contracts.prm_layout import PrmInput
from services.scorer.grouping import MAX_PADDING, group_by_length

LEAST_TOKENS = 64
"""A shorter prompt is not worth sharing: a pass over it has a price of its own."""

PromptKey = bytes


@dataclass(frozen=True, slots=True)
class PromptUse:
    """Of a pass: how many tokens of prompt its inputs leave out, `shared`, and how many of these it reads for all of
    them, `read`; none where their keys and values are kept."""

    shared: int = 0
    read: int = 0


def prompt_key(item: PrmInput) -> PromptKey:
    """The ids of an input's prompt: the same for its rollouts and for nothing else."""
    return array("Q", item.ids[: item.prompt_tokens]).tobytes()


def shared_prompt(inputs: Sequence[PrmInput]) -> int:
    """How many tokens of prompt a pass over these reads once.

    0 where they are of several prompts or of a short one, or where their code differs in length by more than the
    padding that a pass may have.
    """
    length = inputs[0].prompt_tokens
    codes = [len(item.ids) - length for item in inputs]
    padded = max(codes) * len(codes)
    if not _worth_it(length, len(inputs)) or padded - sum(codes) > MAX_PADDING * padded:
        return 0
    prompt = inputs[0].ids[:length]
    same = all(item.prompt_tokens == length and item.ids[:length] == prompt for item in inputs)
    return length if same else 0


def batches_of(lengths: Sequence[int], prompts: Sequence[PromptKey], max_tokens: int) -> list[list[int]]:
    """The indexes of inputs in batches, as `group_by_length` makes them, the rollouts of a prompt among themselves.

    Budget and padding of such a batch are those of its code: the prompt before it has a pass of its own. A prompt's
    only rollout, and rollouts of a short prompt, are strangers like any others.
    """
    families: dict[PromptKey, list[int]] = {}
    for index, prompt in enumerate(prompts):
        families.setdefault(prompt, []).append(index)
    batches: list[list[int]] = []
    strangers: list[int] = []
    for prompt, members in families.items():
        shared = len(prompt) // array("Q").itemsize
        if _worth_it(shared, len(members)):
            batches += _groups(lengths, members, max_tokens, shared)
        else:
            strangers += members
    return batches + _groups(lengths, strangers, max_tokens, shared=0)


def _worth_it(shared: int, rollouts: int) -> bool:
    return shared >= LEAST_TOKENS and rollouts > 1


def _groups(lengths: Sequence[int], members: Sequence[int], max_tokens: int, shared: int) -> list[list[int]]:
    groups = group_by_length([lengths[index] - shared for index in members], max_tokens)
    return [[members[place] for place in group] for group in groups]
