"""Puts files into a program's folder, takes some out, and removes what it leaves, however deep, odd or unreadable."""

import os
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def is_pristine(folder: Path) -> bool:
    """True where a program has left nothing in `folder`, nor on it: no entry, no attribute, no other mode."""
    return folder.stat().st_mode & 0o7777 == 0o700 and not os.listxattr(folder) and not any(folder.iterdir())


def write_files(folder: Path, files: Mapping[str, bytes], uid: int | None = None) -> None:
    """Make `files` in a pristine `folder`; they and their folders belong to `uid` where one is given.

    Raises:
        OSError: a name leads out of the folder, or through a file.
    """
    for name, content in files.items():
        path = folder.joinpath(*_parts(name))
        for parent in reversed(path.relative_to(folder).parents[:-1]):
            with suppress(FileExistsError):
                (folder / parent).mkdir(mode=0o700)
                _give(folder / parent, uid)
        path.write_bytes(content)
        _give(path, uid)


def _give(path: Path, uid: int | None) -> None:
    if uid is not None:
        os.chown(path, uid, uid)


def read_files(folder: Path, names: Iterable[str], most_bytes: int) -> dict[str, bytes]:
    """Those of `names` that are regular files reached by no link, each cut at `most_bytes`."""
    found = {}
    for name in names:
        with suppress(OSError):
            found[name] = _read_file(folder, _parts(name), most_bytes)
    return found


def _parts(name: str) -> list[str]:
    parts = name.split("/")
    if any(part in ("", ".", "..") or "\0" in part for part in parts):
        raise OSError(f"not a path inside the folder: {name!r}")
    return parts


def _read_file(folder: Path, parts: list[str], most_bytes: int) -> bytes:
    """What a hostile program may have put there is opened by no link and waited for at no pipe."""
    here = os.open(folder, _OPEN_FOLDER)
    try:
        for part in parts[:-1]:
            inner = os.open(part, _OPEN_FOLDER, dir_fd=here)
            os.close(here)
            here = inner
        file = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=here)
    finally:
        os.close(here)
    with os.fdopen(file, "rb") as opened:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise OSError("not a regular file")
        return opened.read(most_bytes)


def remove_tree(folder: Path) -> None:
    """Remove `folder` and all it holds, following no link.

    Folders inside are first moved up to the top, one level after another: no recursion and no long path, so a tree
    of a thousand levels goes like any other.
    """
    folder.chmod(0o700)
    top = os.open(folder, _OPEN_FOLDER)
    try:
        _empty(top)
    finally:
        os.close(top)
    folder.rmdir()


def _empty(top: int) -> None:
    while names := _remove_files(top):
        for name in names:
            _open_up(name, top)
            inner = os.open(name, _OPEN_FOLDER, dir_fd=top)
            try:
                for inside in _remove_files(inner):
                    _open_up(inside, inner)
                    os.rename(inside, os.urandom(16).hex(), src_dir_fd=inner, dst_dir_fd=top)
            finally:
                os.close(inner)
            os.rmdir(name, dir_fd=top)


def _open_up(name: str, parent: int) -> None:
    os.chmod(name, 0o700, dir_fd=parent)


def _remove_files(folder: int) -> list[str]:
    """Remove all but the folders in `folder`; the names of those."""
    names = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                names.append(entry.name)
            else:
                os.unlink(entry.name, dir_fd=folder)
    return names
