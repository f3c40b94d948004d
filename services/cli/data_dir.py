"""The folder where the database, the embedded Redis and the logs live, owned by one supervisor at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.cli.errors import UsageError

LOCK_NAME = "supervisor.lock"


@contextmanager
def owned(folder: Path) -> Iterator[Path]:
    """Hold `folder` (made if missing) for this process alone; the lock goes with the process, however it ends.

    Raises:
        UsageError: another supervisor holds it, or it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise UsageError(f"the data folder {folder} cannot be used: {error.strerror}.") from error
    try:
        _lock(descriptor, folder)
        yield folder
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        owner = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
        raise UsageError(
            f"another linewise (process {owner}) uses the data folder {folder}; "
            "end it first or set LINEWISE_DATA_DIR to another folder."
        ) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
