"""Several processes as one run: `accelerate launch` starts them, each writes and learns its part, all know everything.

Trajectories are small, so every process holds all of them and they take the same decisions; only passes through models
are shared out, and gradients are added up before the step. One process or many: the same numbers, but for the order in
which floats are added. Leaves out: models that do not fit on one device.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
import torch.distributed as dist

T = TypeVar("T")


class Processes:
    """The processes of a run, as one of them sees them; a run that was not launched by anybody is alone."""

    def __init__(self, rank: int = 0, count: int = 1, local_rank: int = 0) -> None:
        self.rank = rank
        self.count = count
        self._local_rank = local_rank

    @classmethod
    def launched(cls, device: str) -> "Processes":
        """Those that `accelerate launch` (or torchrun) has started, ready to talk with each other."""
        if int(os.environ.get("WORLD_SIZE", "1")) == 1:
            return cls()
        from accelerate import PartialState  # brings up the backend that suits the devices

        state = PartialState(cpu=device == "cpu")
        return cls(state.process_index, state.num_processes, state.local_process_index)

    @property
    def is_main(self) -> bool:
        """True for the one that logs and saves."""
        return self.rank == 0

    def device(self, wanted: str) -> str:
        """The device for this process: of several GPUs each takes its own."""
        return f"cuda:{self._local_rank}" if wanted == "cuda" and self.count > 1 else wanted

    def gather(self, value: T) -> list[T]:
        """Everybody's `value`, in the processes' order."""
        if self.count == 1:
            return [value]
        values: list[T | None] = [None] * self.count
        dist.all_gather_object(values, value)
        return values  # type: ignore[return-value]

    def agreed(self, value: T) -> T:
        """The main process's `value`: what depends on a clock or a disk must be the same for all."""
        return self.gather(value)[0]

    def wait(self) -> None:
        """Return when all have come here."""
        self.gather(None)

    def add_up_gradients(self, weights: Iterable[torch.nn.Parameter]) -> None:
        """Replace each gradient by the sum of everybody's; a weight that nobody has a gradient for keeps none."""
        if self.count == 1:
            return
        weights = list(weights)
        present = self.gather([weight.grad is not None for weight in weights])
        for weight, anybody in zip(weights, map(any, zip(*present, strict=True)), strict=True):
            if anybody:
                if weight.grad is None:
                    weight.grad = torch.zeros_like(weight)
                dist.all_reduce(weight.grad)


@contextmanager
def deterministic_algorithms(wanted: bool) -> Iterator[None]:
    """In this block torch uses only kernels that give the same bits each time, if that is `wanted`; on GPUs slower."""
    before = torch.are_deterministic_algorithms_enabled()
    if wanted:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
