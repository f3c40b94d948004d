"""Puts files into a program's folder, takes some out, and removes what it leaves, however deep, odd or unreadable.

A folder is a descriptor here: it may lie in a jail, where no path of ours leads, and where only its owner may write.
"""

import ctypes
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress

_libc = ctypes.CDLL(None)

_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_MODE = 0o700


@contextmanager
def acting_as(uid: int | None) -> Iterator[None]:
    """Let this thread, and no other, use files as the user and group `uid`; None: as it is."""
    if uid is None:
        yield
        return
    mine = os.geteuid(), os.getegid()
    try:
        _libc.setfsgid(uid)
        _libc.setfsuid(uid)
        yield
    finally:
        _libc.setfsuid(mine[0])
        _libc.setfsgid(mine[1])


def is_pristine(folder: int) -> bool:
    """True where a program has left nothing in `folder`, nor on it: no entry, and no other mode."""
    return os.fstat(folder).st_mode & 0o7777 == _MODE and not os.listdir(folder)


def write_files(folder: int, files: Mapping[str, bytes]) -> None:
    """Make `files` in a pristine `folder`.

    Raises:
        OSError: a name leads out of the folder, or through a file.
    """
    for name, content in files.items():
        *parents, last = _parts(name)
        with _opened_below(folder, parents) as here:
            file = os.open(last, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600, dir_fd=here)
            with os.fdopen(file, "wb") as opened:
                opened.write(content)


@contextmanager
def _opened_below(folder: int, parents: list[str], *, make: bool = True) -> Iterator[int]:
    """A descriptor of the folder that `parents` lead to; those that are not there are made, or an OSError."""
    here = os.dup(folder)
    try:
        for name in parents:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(name, _MODE, dir_fd=here)
            inner = os.open(name, _OPEN_FOLDER, dir_fd=here)
            os.close(here)
            here = inner
        yield here
    finally:
        os.close(here)


def read_files(folder: int, names: Iterable[str], most_bytes: int) -> dict[str, bytes]:
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


def _read_file(folder: int, parts: list[str], most_bytes: int) -> bytes:
    """What a hostile program may have put there is opened by no link and waited for at no pipe."""
    *parents, last = parts
    with _opened_below(folder, parents, make=False) as here:
        file = os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=here)
    with os.fdopen(file, "rb") as opened:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise OSError("not a regular file")
        return opened.read(most_bytes)


def empty(folder: int) -> None:
    """Remove all that `folder` holds, following no link.

    Folders inside are first moved up to the top, one level after another: no recursion and no long path, so a tree
    of a thousand levels goes like any other.
    """
    os.fchmod(folder, _MODE)
    while names := _remove_files(folder):
        for name in names:
            _open_up(name, folder)
            inner = os.open(name, _OPEN_FOLDER, dir_fd=folder)
            try:
                for inside in _remove_files(inner):
                    _open_up(inside, inner)
                    os.rename(inside, os.urandom(16).hex(), src_dir_fd=inner, dst_dir_fd=folder)
            finally:
                os.close(inner)
            os.rmdir(name, dir_fd=folder)


def _open_up(name: str, parent: int) -> None:
    os.chmod(name, _MODE, dir_fd=parent)


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
