from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from services.kit.errors import StartupError
from services.scorer import hardware
from services.scorer.hardware import check_dtype, choose_device, default_threads


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
