import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from services.kit.errors import StartupError
from services.scorer import hardware
from services.scorer.hardware import (
    check_dtype,
    choose_device,
    default_pass_tokens,
    default_threads,
    keep_few_products,
    tokenize_on_one_thread,
)


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.usefixtures("no_gpu")
def test_a_gpu_is_refused_where_there_is_none_and_auto_takes_the_cpu() -> None:
    assert (choose_device("auto"), choose_device("cpu")) == ("cpu", "cpu")
    with pytest.raises(StartupError, match="torch sees no GPU"):
        choose_device("cuda")


def _pretend(monkeypatch: pytest.MonkeyPatch, **units: bool) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: units)


def test_half_precision_is_refused_on_a_cpu_without_units_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    _pretend(monkeypatch, avx512_bf16=False, amx_bf16=False, avx512_fp16=False, amx_fp16=False)
    for dtype in ("bfloat16", "float16"):
        with pytest.raises(StartupError, match=f"DTYPE is {dtype}.*a hundred times slower"):
            check_dtype(dtype, "cpu")
    check_dtype("float32", "cpu")
    check_dtype("bfloat16", "cuda")


def test_half_precision_is_taken_where_the_cpu_has_units_or_nothing_is_known_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _pretend(monkeypatch, avx512_bf16=True, amx_bf16=False, avx512_fp16=False, amx_fp16=True)
    check_dtype("bfloat16", "cpu")
    check_dtype("float16", "cpu")
    _pretend(monkeypatch)
    check_dtype("bfloat16", "cpu")


def test_int8_is_for_cpus() -> None:
    check_dtype("int8", "cpu")
    with pytest.raises(StartupError, match="runs on a CPU"):
        check_dtype("int8", "cuda")


@pytest.fixture
def four_threads() -> Iterator[None]:
    """Torch takes four threads, in this test alone."""
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("four_threads")
@pytest.mark.parametrize(
    ("quota", "threads"), [("150000 100000", 2), ("50000 100000", 1), ("max 100000", 4), (None, 4)]
)
def test_there_are_no_more_threads_than_the_container_has_processors(
    quota: str | None, threads: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if quota is not None:
        (tmp_path / "cpu.max").write_text(quota + "\n")
    monkeypatch.setattr(hardware, "_CPU_QUOTA", tmp_path / "cpu.max")
    assert default_threads() == threads


def test_wide_models_take_smaller_passes_on_a_cpu_and_only_there() -> None:
    assert [default_pass_tokens("cpu", width) for width in (128, 511, 512, 768)] == [512, 512, 256, 256]
    assert default_pass_tokens("cuda", 768) == 16384


def test_products_to_remember_grow_with_the_threads_and_what_an_operator_set_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"
    monkeypatch.setenv(name, "5")
    keep_few_products(4)
    assert os.environ[name] == "5"
    monkeypatch.delenv(name)
    keep_few_products(4)
    assert os.environ[name] == "12"


def test_a_tokenizer_takes_one_thread_where_the_operator_wants_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "TOKENIZERS_PARALLELISM"
    monkeypatch.setenv(name, "true")
    tokenize_on_one_thread()
    assert os.environ[name] == "true"
    monkeypatch.delenv(name)
    tokenize_on_one_thread()
    assert os.environ[name] == "false"


def test_freed_memory_goes_back_to_the_system() -> None:
    """Blocks between kept ones, which the C library gives back only when asked; in a process with a heap of its own."""
    done = subprocess.run([sys.executable, "-c", _FREEING], capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    assert after < before - 64 * 2**20


_FREEING = """
import resource
from services.scorer.hardware import give_back_memory

def resident_bytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()

kept, freed = [], []
for _ in range(2000):
    freed.append(bytearray(64 * 1024))
    kept.append(bytearray(1024))
freed.clear()
print(resident_bytes())
give_back_memory()
print(resident_bytes())
"""
