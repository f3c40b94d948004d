"""The same checkpoints in other number formats and compiled: still causal, still blind to their company."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from services.contracts import ScoreRequest
from services.contracts.prm_layout import PrmInput
from services.scorer.encoding import encode
from services.scorer.linear import Int8Linear
from services.scorer.model import TorchPrm, load_prm
from services.scorer.settings import DType

KINDS = ["unixcoder", "llama", "gpt2"]
TOLERANCE: dict[DType, float] = {"int8": 0.1, "bfloat16": 0.1, "float16": 0.02}
"""These checkpoints' weights are ten times as large as a trained one's, and so are their errors."""


def _load(folder: Path, dtype: DType, *, compiled: bool = False) -> TorchPrm:
    return load_prm(folder, device="cpu", dtype=dtype, max_tokens=512, compiled=compiled)


@pytest.fixture
def inputs(checkpoint: Callable[[str], Path], prompt: str, programs: dict[str, str]) -> Callable[[str], list[PrmInput]]:
    """The programs as a kind of checkpoint reads them."""

    def encoded(kind: str) -> list[PrmInput]:
        prm = _load(checkpoint(kind), "float32")
        return [encode(ScoreRequest(prompt=prompt, code=code), prm).input for code in programs.values()]

    return encoded


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_another_number_format_scores_nearly_the_same(
    kind: str, dtype: DType, checkpoint: Callable[[str], Path], inputs: Callable[[str], list[PrmInput]]
) -> None:
    exact, rounded = (_load(checkpoint(kind), one).score(inputs(kind)) for one in ("float32", dtype))
    distances = [
        abs(one - other)
        for left, right in zip(exact, rounded, strict=True)
        for one, other in zip(left, right, strict=True)
    ]
    assert 0 < sum(distances) / len(distances) < TOLERANCE[dtype]


@pytest.mark.parametrize("kind", KINDS)
def test_int8_scores_a_step_the_same_in_any_company_and_whatever_follows(
    kind: str, checkpoint: Callable[[str], Path], inputs: Callable[[str], list[PrmInput]]
) -> None:
    """Only where float32 rounds a value over the edge between two int8 steps may a score move at all."""
    prm = _load(checkpoint(kind), "int8")
    assert any(isinstance(module, Int8Linear) for module in prm.model.modules())
    items = inputs(kind)
    for item, batched in zip(items, prm.score(items), strict=True):
        alone = prm.score([item])[0]
        prefixes = [prm.score([replace(item, ids=item.ids[: at + 1], positions=[at])])[0][0] for at in item.positions]
        assert batched == pytest.approx(alone, abs=2e-2)
        assert prefixes == pytest.approx(alone, abs=2e-2)


def test_parameters_are_counted_as_saved_whatever_the_format(checkpoint: Callable[[str], Path]) -> None:
    counts = {_load(checkpoint("llama"), dtype).parameters for dtype in ("float32", "int8", "bfloat16")}
    assert len(counts) == 1


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_a_compiled_model_scores_the_same(
    checkpoint: Callable[[str], Path], inputs: Callable[[str], list[PrmInput]]
) -> None:
    plain, compiled = (
        _load(checkpoint("unixcoder"), "float32"),
        _load(checkpoint("unixcoder"), "float32", compiled=True),
    )
    assert compiled.forward is not compiled.model
    items = inputs("unixcoder")
    for one, other in zip(plain.score(items), compiled.score(items), strict=True):
        assert one == pytest.approx(other, abs=1e-4)
    torch.compiler.reset()
