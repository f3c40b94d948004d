"""A model proves, before it serves, that its scores depend on nothing behind a step and on no neighbour in a pass."""

from collections.abc import Callable, Sequence
from itertools import cycle, islice
from typing import Any, Protocol

import torch
from torch import Tensor

from services.scorer.checkpoint import CheckpointError

_TOKENS = 32
_UNMOVED = 1e-5
"""Of the logits' scale: what computing the same in the same order may differ by."""

Logits = Callable[[Sequence[Sequence[int]]], Tensor]
"""Ids to logits `[batch, tokens, labels]` in one pass, padded on the right."""


class LogitsBehind(Protocol):
    """The same for rows that all stand behind some tokens, whose logits are left out."""

    def __call__(self, ids: Sequence[Sequence[int]], behind: Sequence[int] = ()) -> Tensor: ...


class NotCausalError(CheckpointError):
    """A changed suffix moves earlier logits."""


@torch.inference_mode()
def prove_causal(logits: Logits, ids: Sequence[Sequence[int]], rounding: float) -> None:
    """Make sure that logits depend on nothing behind them; also the model's warm-up.

    `ids` are two random inputs of one length (`random_ids`). A changed suffix may move no earlier logit, with padding
    and without, and a prefix gets the logits alone and beside others that it gets inside the whole, to `rounding` of
    the logits' scale.

    Raises:
        NotCausalError: a suffix moves an earlier logit.
        CheckpointError: a logit is not finite, or a prefix gets others.
    """
    whole, other = map(list, ids)
    half = len(whole) // 2
    changed, prefix = whole[:half] + other[half:], whole[:half]
    plain, padded, alone = logits([whole, changed]), logits([whole, changed, prefix]), logits([prefix])
    if not padded.isfinite().all():
        raise CheckpointError("its logits are not finite")

    scale = max(1.0, float(padded.abs().max()))
    leak = max(_distance(both[0, :half], both[1, :half]) for both in (plain, padded))
    if leak > _UNMOVED * scale:
        raise NotCausalError(
            f"its attention is not causal, a changed suffix moves earlier logits by {leak:.2g}; "
            'a RoBERTa must be trained with "is_decoder": true in its config'
        )
    drift = max(_distance(padded[0, :half], other) for other in (padded[2, :half], alone[0]))
    if drift > rounding * scale:
        raise CheckpointError(f"a prefix alone gets other logits than inside the whole, by {drift:.2g}")


@torch.inference_mode()
def prove_padding(logits: Logits, ids: Sequence[Sequence[int]], rounding: float) -> None:
    """Make sure that an input gets the same logits alone and padded beside a longer one: enough for prefix passes.

    Raises:
        CheckpointError: it gets others.
    """
    whole = list(ids[0])
    prefix = whole[: len(whole) // 2]
    padded, alone = logits([whole, prefix]), logits([prefix])
    drift = _distance(padded[1, : len(prefix)], alone[0])
    if drift > rounding * max(1.0, float(alone.abs().max())):
        raise CheckpointError(f"padding changes its logits, by {drift:.2g}")


@torch.inference_mode()
def is_proved_to_share(logits: LogitsBehind, ids: Sequence[Sequence[int]], rounding: float) -> bool:
    """Whether tokens behind cached keys and values get the logits that they get in a pass over the whole."""
    whole, other = map(list, ids)
    half = len(whole) // 2
    prompt = whole[:half]
    rows = [whole[half:], other[half:-1]]
    expected = logits([prompt + row for row in rows])
    behind = logits(rows, behind=prompt)
    drift = max(
        _distance(behind[index, : len(row)], expected[index, half : half + len(row)]) for index, row in enumerate(rows)
    )
    return drift <= rounding * max(1.0, float(expected.abs().max()))


@torch.inference_mode()
def is_proved_recorded(recorded: Logits, logits: Logits, ids: Sequence[Sequence[int]], max_tokens: int) -> bool:
    """Whether a recorded pass has the model's logits in shapes that it was not recorded in: a token, rows of several
    lengths, and the longest input, since a model may do something else above some length."""
    whole, other = map(list, ids)
    shapes = ([whole[:1]], [whole[:2], other[:-1], whole], [list(islice(cycle(whole), max_tokens))])
    pairs = ((recorded(rows), logits(rows)) for rows in shapes)
    return all(_distance(*pair) <= _UNMOVED * max(1.0, float(pair[1].abs().max())) for pair in pairs)


def random_ids(model: Any, max_tokens: int) -> list[list[int]]:
    """Two inputs of one length, always the same."""
    vocabulary = model.get_input_embeddings().num_embeddings
    generator = torch.Generator().manual_seed(0)
    ids: list[list[int]] = torch.randint(vocabulary, (2, min(_TOKENS, max_tokens)), generator=generator).tolist()
    return ids


def _distance(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().max())
