"""A recorded pass is the model's own, in every shape; what can't be recorded is served as it is."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from services.scorer import linear
from services.scorer.model import TorchPrm, load_prm
from services.scorer.proof import is_proved_recorded, random_ids
from services.scorer.recorded import Recorded


@pytest.fixture(params=["roberta", "llama", "gpt2", "one label"])
def prm(request: pytest.FixtureRequest, loaded: Callable[[str], TorchPrm]) -> TorchPrm:
    return loaded(request.param)


@torch.inference_mode()
def logits(prm: TorchPrm, rows: Sequence[Sequence[int]], behind: Sequence[int] = ()) -> Tensor:
    return prm.logits(rows, behind=behind)


def test_a_pass_of_any_shape_has_the_logits_of_the_model_itself(prm: TorchPrm) -> None:
    itself = replace(prm, forward=prm.model)
    one, other = random_ids(prm.model, prm.max_tokens)
    for rows in ([one[:1]], [one, other[:7]], [one[:3]] * 9, [(one * 16)[:500], other * 15]):
        assert torch.allclose(logits(prm, rows), logits(itself, rows), atol=1e-5)
    behind = logits(prm, [one[20:], other[25:]], behind=one[:20])
    assert torch.allclose(behind, logits(itself, [one[20:], other[25:]], behind=one[:20]), atol=1e-5)


def test_a_recorded_pass_runs_without_the_models_python(prm: TorchPrm) -> None:
    assert isinstance(prm.forward, Recorded)
    calls: list[Any] = []
    hook = prm.model.register_forward_pre_hook(lambda *_: calls.append(1))
    logits(prm, random_ids(prm.model, prm.max_tokens))
    hook.remove()
    assert not calls


def test_a_pass_that_is_another_one_above_some_length_is_not_taken(prm: TorchPrm) -> None:
    def right(rows: Sequence[Sequence[int]]) -> Tensor:
        return logits(prm, rows)

    def wrong_when_long(rows: Sequence[Sequence[int]]) -> Tensor:
        return right(rows) + (len(rows[0]) > 400)

    ids = random_ids(prm.model, prm.max_tokens)
    assert is_proved_recorded(right, right, ids, prm.max_tokens)
    assert not is_proved_recorded(wrong_when_long, right, ids, prm.max_tokens)


def test_int8_is_recorded_to_the_bit(checkpoint: Callable[[str], Path]) -> None:
    prm = load_prm(checkpoint("llama"), device="cpu", dtype="int8", max_tokens=512)
    assert isinstance(prm.forward, Recorded)
    one, other = random_ids(prm.model, prm.max_tokens)
    for rows in ([one[:1]], [one, other[:7]], [(one * 16)[:500], other * 15]):
        assert torch.equal(logits(prm, rows), logits(replace(prm, forward=prm.model), rows))


def test_a_model_with_operations_that_cannot_be_recorded_is_served_as_it_is(
    checkpoint: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of layers that wide models have."""
    monkeypatch.setattr(linear, "_PACKED_WIDTH", 0)
    prm = load_prm(checkpoint("llama"), device="cpu", dtype="float32", max_tokens=512)
    assert prm.forward is prm.model
