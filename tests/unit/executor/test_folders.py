"""Whatever a program leaves in its folder goes."""

import os
from pathlib import Path

import pytest

from services.executor.folders import is_pristine, remove_tree


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "run"
    made.mkdir(mode=0o700)
    return made


def test_an_untouched_folder_is_pristine(folder: Path) -> None:
    assert is_pristine(folder)


def test_a_file_or_another_mode_is_seen(folder: Path) -> None:
    folder.chmod(0o755)
    assert not is_pristine(folder)
    folder.chmod(0o700)
    (folder / "file").touch()
    assert not is_pristine(folder)


def test_a_tree_of_twelve_hundred_levels_goes(folder: Path) -> None:
    here = os.open(folder, os.O_RDONLY)
    for _ in range(1200):
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    remove_tree(folder)
    assert not folder.exists()


def test_links_are_not_followed(folder: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    (folder / "link").symlink_to(kept)
    (folder / "loop").symlink_to("loop")
    remove_tree(folder)
    assert (kept / "file").exists()


def test_unreadable_folders_and_odd_names_go(folder: Path) -> None:
    (folder / "shut" / "inner").mkdir(parents=True)
    (folder / "shut").chmod(0)
    with open(os.path.join(os.fsencode(folder), b"\xff\xfe\n"), "wb"):
        pass
    remove_tree(folder)
    assert not folder.exists()
