import weakref

import pytest
import torch
from torch import Tensor, nn
from transformers import GPT2Config, GPT2ForTokenClassification
from transformers.pytorch_utils import Conv1D

from services.kit.errors import StartupError
from services.scorer import linear
from services.scorer.linear import Int8Linear, PackedLinear, check_int8, quicken

WIDTH, OUTPUTS = 640, 512


@pytest.fixture
def layer() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(WIDTH, OUTPUTS).requires_grad_(False)


@pytest.fixture
def rows() -> Tensor:
    """`[batch, tokens, width]`, tokens of very different size and one of zeros."""
    torch.manual_seed(1)
    rows = torch.randn(2, 9, WIDTH) * torch.logspace(-3, 2, 9)[:, None]
    rows[0, 4] = 0
    return rows


def test_a_packed_layer_gives_what_torchs_own_gives(layer: nn.Linear, rows: Tensor) -> None:
    packed = PackedLinear(layer.weight, layer.bias)
    assert torch.allclose(packed(rows), layer(rows), rtol=1e-5, atol=1e-4)
    assert torch.allclose(PackedLinear(layer.weight, None)(rows), rows @ layer.weight.T, rtol=1e-5, atol=1e-4)


def test_an_int8_layer_is_within_half_a_step_of_each_factor(layer: nn.Linear, rows: Tensor) -> None:
    """Each of a sum's products is wrong by half a step of one factor times the other, and by half a step of both."""
    steps = rows.abs().amax(dim=-1, keepdim=True) / 127
    weight_steps = layer.weight.abs().amax(dim=1) / 127
    bound = (
        steps / 2 * layer.weight.abs().sum(dim=1)
        + rows.abs().sum(dim=-1, keepdim=True) * weight_steps / 2
        + WIDTH * steps * weight_steps / 4
    )
    wrong = (Int8Linear(layer.weight, layer.bias)(rows) - layer(rows)).abs()
    assert (wrong <= bound + 1e-4).all()
    assert wrong.max() > 0


def test_an_int8_layer_gives_a_token_the_same_in_any_company(layer: nn.Linear, rows: Tensor) -> None:
    quantised = Int8Linear(layer.weight, layer.bias)
    tokens = rows.reshape(-1, WIDTH)
    together = quantised(tokens)
    for index, token in enumerate(tokens):
        assert torch.equal(quantised(token[None])[0], together[index])


def test_int8_products_are_exact_on_this_machine_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    check_int8()
    exact = linear._product
    monkeypatch.setattr(linear, "_product", lambda *factors: exact(*factors).clamp(max=2**15 - 1))
    with pytest.raises(StartupError, match="int8 products are not exact"):
        check_int8()


def test_only_wide_float32_layers_are_packed_and_never_the_head() -> None:
    model = nn.Sequential(nn.Linear(512, 512), nn.Linear(512, 64), nn.Linear(512, 2))
    quicken(model, int8=False)
    assert [type(layer) for layer in model] == [PackedLinear, nn.Linear, nn.Linear]


@pytest.mark.parametrize(("width", "int8", "kind"), [(512, False, PackedLinear), (32, True, Int8Linear)])
def test_gpt2s_layers_are_replaced_though_they_lie_the_other_way_round(width: int, int8: bool, kind: type) -> None:
    torch.manual_seed(0)
    config = GPT2Config(n_embd=width, n_layer=1, n_head=2, n_positions=16, vocab_size=50)
    model = GPT2ForTokenClassification(config).eval().requires_grad_(False)
    ids = torch.arange(12)[None]
    before = model(input_ids=ids).logits
    quicken(model, int8=int8)
    assert sum(isinstance(module, kind) for module in model.modules()) == 4
    assert not any(isinstance(module, Conv1D) for module in model.modules())
    assert type(model.classifier) is nn.Linear
    assert torch.allclose(model(input_ids=ids).logits, before, atol=0.05 if int8 else 1e-5)


def test_a_replaced_layer_is_gone_before_the_next_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """No second copy of a model's weights, not even while it is made fast."""
    model = nn.Sequential(*(nn.Linear(512, 512) for _ in range(4)))
    weights = [weakref.ref(layer.weight) for layer in model]
    alive: list[int] = []

    class Counting(PackedLinear):
        def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
            super().__init__(weight, bias)
            alive.append(sum(weight() is not None for weight in weights))

    monkeypatch.setattr(linear, "PackedLinear", Counting)
    quicken(model, int8=False)
    assert alive == [4, 3, 2, 1]
    assert not any(weight() for weight in weights)
