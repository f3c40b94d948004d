"""What there is to run on: the device, the number formats that are fast on it, the threads and the memory there are."""

import ctypes
import math
import os
from pathlib import Path
from typing import Literal

import torch

from services.kit.errors import StartupError
from services.scorer.linear import check_int8
from services.scorer.settings import Device, DType

_WIDE = 512
"""Models as wide as this leave megabytes of activations behind on a CPU, and lose nothing by smaller passes."""

_PRODUCTS_A_THREAD = 3
"""As many shapes of products as a pass has: into and out of attention, up, and down."""

_CPU_UNITS = {"bfloat16": ("avx512_bf16", "amx_bf16"), "float16": ("avx512_fp16", "amx_fp16")}
_CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def choose_device(wanted: Device) -> Literal["cpu", "cuda"]:
    """The device to run on.

    Raises:
        StartupError: a GPU is asked for and torch sees none.
    """
    if wanted == "cuda" and not torch.cuda.is_available():
        raise StartupError("LINEWISE_SCORER_DEVICE is cuda, but torch sees no GPU; set it to cpu or auto")
    return "cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu"


def check_dtype(dtype: DType, device: str) -> None:
    """Make sure that the device is made for this number format.

    Raises:
        StartupError: it isn't; a CPU without units for half precision is a hundred times slower with it.
    """
    if dtype == "int8":
        if device != "cpu":
            raise StartupError("LINEWISE_SCORER_DTYPE is int8, which runs on a CPU; on a GPU take bfloat16")
        check_int8()
    if device == "cpu" and dtype in _CPU_UNITS and _lacks(_CPU_UNITS[dtype]):
        raise StartupError(
            f"LINEWISE_SCORER_DTYPE is {dtype}, for which this CPU has no units: it would be a hundred times slower; "
            "take float32 or int8"
        )


def default_pass_tokens(device: str, width: int) -> int:
    """Tokens of a pass of a model of that width; on a CPU more are no faster, and activations of more no longer fit the
    caches (ADR 0029)."""
    if device != "cpu":
        return 16384
    return 256 if is_wide(device, width) else 512


def is_wide(device: str, width: int) -> bool:
    """Whether memory is what bounds a pass of a model of that width (ADR 0071)."""
    return device == "cpu" and width >= _WIDE


def keep_few_products(threads: int) -> None:
    """Have oneDNN remember the code of few products instead of 1,024; before its first product only."""
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", str(_PRODUCTS_A_THREAD * threads))


def tokenize_on_one_thread() -> None:
    """Have a tokenizer take no threads of its own, unless the operator wants it to: waking them for the few lines of a
    program takes longer than the lines."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def give_back_memory() -> None:
    """Return to the system what is free in the heap, where the C library can; it keeps more than passes take."""
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)


def _lacks(units: tuple[str, ...]) -> bool:
    """Whether torch knows of each of these units that they are not there; of other makes' it knows nothing."""
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return all(capabilities.get(unit) is False for unit in units)


def default_threads() -> int:
    """As many CPU threads as torch would take, and no more than the container's share of processor time: threads that
    a quota stops hold up all others."""
    return min(torch.get_num_threads(), _quota())


def use_threads(threads: int) -> None:
    """Set how many CPU threads a pass takes; call it on the thread that runs the pass, whose own affair it is."""
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)


def _quota() -> int:
    try:
        quota, period = _CPU_QUOTA.read_text().split()
        return max(1, math.ceil(int(quota) / int(period)))
    except (OSError, ValueError):
        return torch.get_num_threads()
