"""A model's pass as a list of torch's operations, recorded once: it runs without Python, and so without its lock.

Passes of a narrow model are hundreds of operations of some microseconds. Made from Python, each takes the interpreter's
lock, and passes side by side wait for each other and for the event loop (ADR 0076). Leaves out: wide models, whose
operations are long; passes with a mask or with keys and values from before, which the model itself makes.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Output:
    """Of a pass: `logits`, `[batch, tokens, labels]`."""

    logits: Tensor


class Recorded:
    """Stands for `model` in a pass: where it is given ids alone it runs what was recorded."""

    def __init__(self, model: Any, ids: Tensor) -> None:
        """Record a pass over `ids`, `[batch, tokens]`; other shapes run through the same operations."""
        self._model = model
        self._pass = _record(model, ids)

    def __call__(self, input_ids: Tensor, **others: Any) -> Any:
        if others:
            return self._model(input_ids=input_ids, **others)
        return Output(self._pass(input_ids))


class _LogitsOfIds(nn.Module):
    """What is recorded: tensors in, one tensor out."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor) -> Tensor:
        logits: Tensor = self.model(input_ids=input_ids).logits
        return logits


@torch.inference_mode()
def _record(model: Any, ids: Tensor) -> Callable[[Tensor], Tensor]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is deprecated for what needs the compiler that a server doesn't have
        trace: Any = torch.jit.trace
        recorded: Callable[[Tensor], Tensor] = trace(_LogitsOfIds(model).eval(), (ids,), check_trace=False)
    return recorded
