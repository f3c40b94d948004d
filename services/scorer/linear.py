"""Linear layers that a CPU runs faster than torch's own, put in their places in a loaded model.

`PackedLinear` keeps float32 weights in the order that oneDNN's product reads them. `Int8Linear` keeps them as int8,
with a scale for each output, and rounds its input to eight bits with a scale for each *token*: a token's result then
depends on nothing beside it, where one scale for the whole batch would make every score depend on its company. Leaves
out: heads, whose few outputs decide the score, and GPUs; `torch.compile` can't look into either.
"""

from functools import cache
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from services.kit.errors import StartupError

_PACKED_WIDTH = 512
"""Narrower float32 layers are faster as they are."""

_HEAD_OUTPUTS = 2
_LARGEST = 127
_ZERO = 128
"""int8 products want one factor unsigned: a token's values lie in 1..255, around this."""

_PRODUCT = f"""
def product(rows: Tensor, weight: Tensor, scales: Tensor, zeros: Tensor) -> Tensor:
    arguments = torch.jit.annotate(List[Optional[number]], [])
    return torch.ops.onednn.qlinear_pointwise(
        rows, 1.0, {_ZERO}, weight, scales, zeros, None, 1.0, 0, torch.float32, "none", arguments, ""
    )
"""


class Matrix(Protocol):
    """A layer's replacement, made from its weight `[outputs, inputs]` and its bias `[outputs]`."""

    def __call__(self, weight: Tensor, bias: Tensor | None) -> nn.Module: ...


class PackedLinear(nn.Module):
    """`nn.Linear` in float32; the weight is packed once, torch's own packs it in each pass."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self._weight = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous())
        self._bias = bias

    def forward(self, x: Tensor) -> Tensor:
        """`[..., inputs]` to `[..., outputs]`."""
        return cast(Tensor, torch.ops.mkldnn._linear_pointwise(x, self._weight, self._bias, "none", [], ""))


class Int8Linear(nn.Module):
    """`nn.Linear` with symmetric int8 weights, a scale an output, and dynamic eight-bit inputs, a scale a token."""

    _weight: Tensor
    _scales: Tensor
    _zeros: Tensor
    _bias: Tensor

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.register_buffer("_scales", weight.abs().amax(dim=1).div(_LARGEST).clamp_min(1e-12))
        rounded = (weight / self._scales[:, None]).round().to(torch.int8).contiguous()
        self.register_buffer("_weight", torch.ops.onednn.qlinear_prepack(rounded, None))
        self.register_buffer("_zeros", torch.zeros(len(weight), dtype=torch.int32))
        self.register_buffer("_bias", torch.zeros(len(weight)) if bias is None else bias)

    def forward(self, x: Tensor) -> Tensor:
        """`[..., inputs]` to `[..., outputs]`."""
        rows = x.reshape(-1, x.shape[-1])
        scales = rows.abs().amax(dim=1, keepdim=True).div_(_LARGEST).clamp_min_(1e-12)
        shifted = rows.mul(scales.reciprocal()).add_(_ZERO + 0.5)
        rounded = shifted.to(torch.int16).to(torch.uint8)  # straight to uint8 takes torch several times as long
        product = _product(rounded, self._weight, self._scales, self._zeros)
        return product.mul_(scales).add_(self._bias).reshape(*x.shape[:-1], -1)


def _product(rows: Tensor, weight: Tensor, scales: Tensor, zeros: Tensor) -> Tensor:
    """`(rows - 128) @ weight.T * scales` in float32, from uint8 and int8."""
    return cast(Tensor, _compiled_product()(rows, weight, scales, zeros))


@cache
def _compiled_product() -> Any:
    """As a function of TorchScript, which a recorded pass (ADR 0076) calls; the operation itself can't be recorded, for
    the sake of an empty list."""
    unit: Any = torch.jit.CompilationUnit
    return unit(_PRODUCT).product


def check_int8() -> None:
    """Compare int8 products with integer arithmetic: processors without such units may cut off large sums.

    Raises:
        StartupError: they differ, or this torch has no such products.
    """
    rows = torch.full((2, 64), 255, dtype=torch.uint8)
    rows[1, ::2] = 1
    weight = torch.full((3, 64), _LARGEST, dtype=torch.int8)
    weight[1] = -_LARGEST
    weight[2, 1::2] = -_LARGEST
    expected = (rows.int() - _ZERO) @ weight.int().T
    try:
        packed = torch.ops.onednn.qlinear_prepack(weight, None)
        product = _product(rows, packed, torch.ones(3), torch.zeros(3, dtype=torch.int32))
    except (AttributeError, RuntimeError) as error:
        raise StartupError("LINEWISE_SCORER_DTYPE is int8, but this torch has no int8 products") from error
    if not torch.equal(product, expected.float()):
        raise StartupError("LINEWISE_SCORER_DTYPE is int8, but this processor's int8 products are not exact")


def quicken(model: nn.Module, *, int8: bool) -> None:
    """Replace the model's linear layers, those of GPT-2's making too, one after the other: no second copy of it."""
    if not (int8 or torch.backends.mkldnn.is_available()):  # type: ignore[no-untyped-call]
        return
    kind: Matrix = Int8Linear if int8 else PackedLinear
    narrowest = 0 if int8 else _PACKED_WIDTH
    parents = [module for module in model.modules() if not isinstance(module, nn.Linear | Conv1D)]
    for parent in parents:
        for name in list(dict(parent.named_children())):
            layer = getattr(parent, name)
            if isinstance(layer, nn.Linear | Conv1D) and _is_wide(layer, narrowest):
                setattr(parent, name, kind(_weight(layer), _detached(layer.bias)))


def _is_wide(layer: Any, narrowest: int) -> bool:
    outputs, inputs = _weight(layer).shape
    return outputs > _HEAD_OUTPUTS and min(outputs, inputs) >= narrowest


def _weight(layer: Any) -> Tensor:
    """`[outputs, inputs]`; GPT-2 keeps it the other way round."""
    weight: Tensor = layer.weight.detach()
    return weight.T if isinstance(layer, Conv1D) else weight


def _detached(bias: Tensor | None) -> Tensor | None:
    return None if bias is None else bias.detach()
