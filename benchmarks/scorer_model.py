"""The bare model's part of the scorer's benchmark: ways to make the same passes, without HTTP."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from scorer_page import BFLOAT16, INT8
from scorer_work import one_of_256_tokens
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

from services.contracts.prm_layout import PrmInput
from services.scorer.encoding import Encoded, encode
from services.scorer.grouping import group_by_length
from services.scorer.model import TorchPrm, load_prm
from services.scorer.settings import DType

FORMATS: dict[str, DType] = {INT8: "int8", BFLOAT16: "bfloat16"}
_PACKED = "packed"


def load(folder: Path, dtype: DType = "float32", *, compiled: bool = False) -> TorchPrm:
    """The checkpoint as the scorer loads it."""
    return load_prm(folder, device="cpu", dtype=dtype, max_tokens=1024, compiled=compiled)


def sorted_passes(encoded: Sequence[Encoded], tokens: int) -> list[list[PrmInput]]:
    """The passes that the scorer makes of so many inputs at once."""
    groups = group_by_length([len(item.input.ids) for item in encoded], tokens)
    return [[encoded[index].input for index in group] for group in groups]


def padding_share(passes: Sequence[Sequence[PrmInput]]) -> float:
    """Of all tokens, those that only fill up."""
    padded = sum(max(len(item.ids) for item in one) * len(one) for one in passes)
    return 1 - sum(len(item.ids) for one in passes for item in one) / padded


def score_all(prm: TorchPrm, passes: Sequence[Sequence[PrmInput]]) -> None:
    """One after the other."""
    for one in passes:
        prm.score(one)


def score_side_by_side(prm: TorchPrm, passes: Sequence[Sequence[PrmInput]], threads: int) -> None:
    """So many at a time, one thread each: as the scorer makes them when more than one waits."""
    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as lanes:
        list(lanes.map(prm.score, passes))


def passes_in_order(encoded: Sequence[Encoded], tokens: int) -> list[list[PrmInput]]:
    """As they came, up to the budget without padding: what packing puts into one pass."""
    passes: list[list[PrmInput]] = [[]]
    for item in encoded:
        if passes[-1] and sum(len(one.ids) for one in passes[-1]) + len(item.input.ids) > tokens:
            passes.append([])
        passes[-1].append(item.input)
    return passes


@torch.inference_mode()
def score_packed(prm: TorchPrm, passes: Sequence[Sequence[PrmInput]]) -> list[torch.Tensor]:
    """Passes of one row each, inputs end to end; only attention knows where one begins. Logits at all tokens."""
    AttentionInterface.register(_PACKED, _attend_packed)
    prm.model.set_attn_implementation(_PACKED)
    try:
        return [_one_row(prm, [item.ids for item in one]) for one in passes]
    finally:
        prm.model.set_attn_implementation("sdpa")


def _one_row(prm: TorchPrm, ids: Sequence[Sequence[int]]) -> torch.Tensor:
    table = getattr(getattr(prm.model.base_model, "embeddings", None), "position_embeddings", None)
    first = 0 if table is None else table.padding_idx + 1
    lengths = [len(row) for row in ids]
    positions = torch.cat([torch.arange(first, first + length) for length in lengths])[None]
    joined = torch.tensor([token for row in ids for token in row])[None]
    logits: torch.Tensor = prm.model(input_ids=joined, position_ids=positions, lengths=lengths).logits[0]
    return logits


def _attend_packed(
    _module: Any, query: Any, key: Any, value: Any, _mask: Any, *, lengths: list[int], scaling: float, **_: Any
) -> tuple[torch.Tensor, None]:
    each = zip(query.split(lengths, 2), key.split(lengths, 2), value.split(lengths, 2), strict=True)
    attended = [scaled_dot_product_attention(*one, is_causal=True, scale=scaling) for one in each]
    return torch.cat(attended, 2).transpose(1, 2), None


@dataclass(frozen=True)
class PrefixRace:
    """The same 12 scores of a program of 256 tokens, in one pass and in twelve."""

    once: Callable[[], object]
    by_prefixes: Callable[[], object]
    tokens: int
    largest_difference: float


def prefix_race(prm: TorchPrm) -> PrefixRace:
    """Both ways on the same model."""
    item = encode(one_of_256_tokens(prm), prm).input
    prefixes = [replace(item, ids=item.ids[: at + 1], positions=[at]) for at in item.positions]
    pairs = zip(prm.score([item])[0], [prm.score([one])[0][0] for one in prefixes], strict=True)
    return PrefixRace(
        once=lambda: prm.score([item]),
        by_prefixes=lambda: [prm.score([one]) for one in prefixes],
        tokens=len(item.ids),
        largest_difference=max(abs(one - other) for one, other in pairs),
    )
