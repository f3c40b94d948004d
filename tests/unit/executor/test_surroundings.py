"""What of this machine programs may see: enough to run Python, and nothing of anybody's own."""

import os
import sys
from pathlib import Path

import pytest

from services.executor import surroundings

CHECKOUT = Path(__file__).parents[3]


def covers(paths: list[str], file: Path) -> bool:
    return any(file.is_relative_to(path) for path in paths)


@pytest.mark.parametrize("packages", [(), ("numpy", "pytest")])
def test_paths_exist_and_none_lies_below_another(packages: tuple[str, ...]) -> None:
    paths = [Path(path) for path in surroundings.readable(packages)]
    assert all(path.is_absolute() and path.exists() for path in paths)
    assert not [path for path in paths for other in paths if other in path.parents]
    assert len(set(paths)) == len(paths)


def test_python_is_among_them_and_its_users_files_are_not() -> None:
    paths = surroundings.readable(())
    assert covers(paths, Path(os.__file__))
    assert covers(paths, Path(sys.executable).resolve())
    for closed in (
        Path("/etc/passwd"),
        Path("/proc/self"),
        Path("/dev/shm"),
        CHECKOUT / "README.md",
        Path.home() / "x",
    ):
        assert not covers(paths, closed)


def test_packages_come_with_what_they_need_and_nothing_else() -> None:
    """pytest needs pluggy and iniconfig; numpy brings shared libraries in a folder of their own."""
    import iniconfig
    import numpy
    import pluggy

    without, with_both = surroundings.readable(()), surroundings.readable(("numpy", "pytest"))
    for module in (numpy, pytest, pluggy, iniconfig):
        assert covers(with_both, Path(module.__file__ or ""))
        assert not covers(without, Path(module.__file__ or ""))
    site = Path(numpy.__file__ or "").parents[1]
    libraries = site / "numpy.libs"
    assert not libraries.exists() or covers(with_both, libraries)
    for other in ("torch", "httpx", "pydantic", "fastapi"):
        assert not covers(with_both, site / other)


def test_importable_are_the_installed_ones_under_their_modules_names() -> None:
    modules, folders = surroundings.importable(("numpy", "no-such-package", "prometheus-client"))
    assert modules == ["numpy", "prometheus_client"]
    assert len(folders) == 1
    assert (Path(folders[0]) / "numpy").is_dir()
    assert surroundings.importable(()) == ([], [])


def test_devices_are_harmless() -> None:
    assert set(surroundings.DEVICES) == {f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom")}
