"""What lets later lines leak into earlier scores never serves as if it didn't."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from services.contracts import ScoreRequest
from services.scorer.checkpoint import CheckpointError
from services.scorer.encoding import encode
from services.scorer.model import TorchPrm, load_prm
from services.scorer.proof import NotCausalError, prove_causal, prove_padding, random_ids

Load = Callable[[Path], TorchPrm]


def prove(prm: TorchPrm) -> None:
    prove_causal(prm.logits, random_ids(prm.model, prm.max_tokens), prm.rounding)


def attentions(prm: TorchPrm) -> list[Any]:
    return [module for module in prm.model.modules() if hasattr(module, "is_causal")]


@pytest.mark.parametrize("kind", ["roberta", "unixcoder", "llama", "gpt2"])
def test_each_architecture_is_proved_and_caught_when_its_attention_looks_ahead(
    kind: str, checkpoint: Callable[[str], Path], load: Load
) -> None:
    prm = load(checkpoint(kind))
    assert prm.causal
    assert len(attentions(prm)) == 2
    prm = replace(prm, forward=prm.model)
    for attention in attentions(prm):
        attention.is_causal = False
    with pytest.raises(NotCausalError, match="moves earlier logits by"):
        prove(prm)


@pytest.mark.parametrize("kind", ["roberta", "unixcoder", "llama", "gpt2"])
def test_a_changed_suffix_moves_no_earlier_score_at_all(
    kind: str, checkpoint: Callable[[str], Path], load: Load, prompt: str
) -> None:
    prm = load(checkpoint(kind))
    endings = ["    return y\n", "    raise x\n"]
    inputs = [
        encode(ScoreRequest(prompt=prompt, code="def f(x):\n    y = x + 1\n" + end), prm).input for end in endings
    ]
    first, second = (prm.score([item])[0] for item in inputs)
    assert first[:2] == pytest.approx(second[:2], abs=1e-6)
    assert first[2] != second[2]


def test_decoder_mode_switched_on_after_construction_is_refused(checkpoint: Callable[[str], Path]) -> None:
    """The silent trap: the flag says causal, the attention built before it doesn't."""
    folder = checkpoint("bidirectional")
    prm = load_prm(folder, device="cpu", dtype="float32", max_tokens=512, allow_prefix_passes=True)
    prm.model.config.is_decoder = True
    with pytest.raises(NotCausalError):
        prove(replace(prm, causal=True))


def test_a_bidirectional_checkpoint_is_refused_with_the_way_out(checkpoint: Callable[[str], Path], load: Load) -> None:
    with pytest.raises(CheckpointError, match=r"not causal.*LINEWISE_SCORER_ALLOW_PREFIX_PASSES"):
        load(checkpoint("bidirectional"))


@pytest.fixture
def by_prefixes(checkpoint: Callable[[str], Path]) -> TorchPrm:
    """A bidirectional model, with passes of no more than 200 tokens."""
    folder = checkpoint("bidirectional")
    return load_prm(folder, device="cpu", dtype="float32", max_tokens=512, pass_tokens=200, allow_prefix_passes=True)


def test_a_bidirectional_model_scores_each_step_as_its_prefix_alone(
    by_prefixes: TorchPrm, prompt: str, programs: dict[str, str]
) -> None:
    assert not by_prefixes.causal
    inputs = [encode(ScoreRequest(prompt=prompt, code=code), by_prefixes).input for code in programs.values()]
    for item, row in zip(inputs, by_prefixes.score(inputs), strict=True):
        for at, score in zip(item.positions, row, strict=True):
            with torch.inference_mode():
                alone = by_prefixes.model(input_ids=torch.tensor([item.ids[: at + 1]])).logits[0, -1]
            assert score == pytest.approx(float(alone.softmax(dim=0)[1]), abs=1e-4)


def test_prefix_passes_keep_to_the_token_budget(by_prefixes: TorchPrm, prompt: str, programs: dict[str, str]) -> None:
    sizes: list[int] = []
    by_prefixes.model.register_forward_pre_hook(
        lambda _module, _args, kwargs: sizes.append(kwargs["input_ids"].numel()), with_kwargs=True
    )
    inputs = [encode(ScoreRequest(prompt=prompt, code=code), by_prefixes).input for code in programs.values()]
    by_prefixes.score(inputs)
    assert max(sizes) <= 200
    assert len(sizes) < sum(len(item.positions) for item in inputs)


def test_a_causal_model_needs_no_prefix_passes_where_they_are_allowed(checkpoint: Callable[[str], Path]) -> None:
    prm = load_prm(checkpoint("gpt2"), device="cpu", dtype="float32", max_tokens=512, allow_prefix_passes=True)
    assert prm.causal


def test_a_model_whose_logits_change_with_padding_may_not_even_score_prefixes(by_prefixes: TorchPrm) -> None:
    def heedless(ids: Any) -> torch.Tensor:
        rows = [torch.tensor(row) for row in ids]
        padded = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=1)
        logits: torch.Tensor = by_prefixes.model(input_ids=padded).logits
        return logits

    with pytest.raises(CheckpointError, match="padding changes its logits"):
        prove_padding(heedless, random_ids(by_prefixes.model, 512), 1e-4)
