"""Whatever a program leaves in its folder goes."""

import os
from pathlib import Path

import pytest

from services.executor.folders import is_pristine, read_files, remove_tree, write_files


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


def test_files_are_put_into_folders_of_their_own_and_read_again(tmp_path: Path) -> None:
    write_files(tmp_path, {"a": b"1", "deep/er/b": b"22"})
    assert read_files(tmp_path, ["a", "deep/er/b", "c"], most_bytes=1) == {"a": b"1", "deep/er/b": b"2"}


def test_no_link_and_no_pipe_is_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"x")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "up").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    assert read_files(folder, ["link", "up/secret", "pipe", "../secret"], most_bytes=9) == {}


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "", "a//b", "x\0"])
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(OSError, match="not a path"):
        write_files(tmp_path, {name: b""})
