"""Whatever a program leaves in its folder goes."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.executor.folders import empty, is_pristine, read_files, write_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "run"
    made.mkdir(mode=0o700)
    return made


@pytest.fixture
def opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


def test_an_untouched_folder_is_pristine(opened: int) -> None:
    assert is_pristine(opened)


def test_a_file_or_another_mode_is_seen(folder: Path, opened: int) -> None:
    folder.chmod(0o755)
    assert not is_pristine(opened)
    folder.chmod(0o700)
    (folder / "file").touch()
    assert not is_pristine(opened)


def test_a_tree_of_twelve_hundred_levels_goes(folder: Path, opened: int) -> None:
    here = os.open(folder, os.O_RDONLY)
    for _ in range(1200):
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    empty(opened)
    assert is_pristine(opened)


def test_links_are_not_followed(folder: Path, opened: int, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    (folder / "link").symlink_to(kept)
    (folder / "loop").symlink_to("loop")
    empty(opened)
    assert (kept / "file").exists()


def test_unreadable_folders_and_odd_names_go(folder: Path, opened: int) -> None:
    (folder / "shut" / "inner").mkdir(parents=True)
    (folder / "shut").chmod(0)
    with open(os.path.join(os.fsencode(folder), b"\xff\xfe\n"), "wb"):
        pass
    empty(opened)
    assert is_pristine(opened)


def test_files_are_put_into_folders_of_their_own_and_read_again(opened: int) -> None:
    write_files(opened, {"a": b"1", "deep/er/b": b"22"})
    assert read_files(opened, ["a", "deep/er/b", "c"], most_bytes=1) == {"a": b"1", "deep/er/b": b"2"}


def test_no_link_and_no_pipe_is_read(folder: Path, opened: int, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"x")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "up").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    assert read_files(opened, ["link", "up/secret", "pipe", "../secret"], most_bytes=9) == {}


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "", "a//b", "x\0"])
def test_no_name_leads_out_of_the_folder(opened: int, name: str) -> None:
    with pytest.raises(OSError, match="not a path"):
        write_files(opened, {name: b""})
