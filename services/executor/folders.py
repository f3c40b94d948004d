"""Finds and removes what a program leaves in its folder, however deep, odd or unreadable."""

import os
from pathlib import Path

_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def is_pristine(folder: Path) -> bool:
    """True where a program has left nothing in `folder`, nor on it: no entry, no attribute, no other mode."""
    return folder.stat().st_mode & 0o7777 == 0o700 and not os.listxattr(folder) and not any(folder.iterdir())


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
