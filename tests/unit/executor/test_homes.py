"""Folders of services that were killed do not pile up, and nobody's who lives is touched."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from services.executor.homes import Home

KILLED = """
import os, signal
from services.executor.homes import Home
home = Home()
(home.path / "left").write_text("behind")
print(home.path, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def make_old(path: Path) -> None:
    os.utime(path, (0, 0))


def killed(folder: Path) -> Path:
    """The home of a process that was killed."""
    environment = {**os.environ, "TMPDIR": str(folder)}
    ended = subprocess.run([sys.executable, "-c", KILLED], env=environment, capture_output=True, text=True, check=False)
    return Path(ended.stdout.strip())


def test_what_a_killed_process_left_is_removed_by_the_next(folder: Path) -> None:
    left = killed(folder)
    assert (left / "left").exists()
    make_old(left)
    Home().remove()
    assert list(folder.iterdir()) == []


def test_the_home_of_one_who_lives_stays_however_old(folder: Path) -> None:
    living = Home()
    make_old(living.path)
    Home().remove()
    assert living.path.exists()
    living.remove()
    assert not living.path.exists()


def test_a_young_home_and_a_link_stay(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    left = killed(folder)
    kept = tmp_path_factory.mktemp("kept")
    (kept / "file").touch()
    link = folder / "linewise-executor-link"
    link.symlink_to(kept)
    os.utime(link, (0, 0), follow_symlinks=False)
    Home().remove()
    assert left.exists()
    assert (kept / "file").exists()
