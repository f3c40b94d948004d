"""The folders of this machine in which fork servers have their place, and the end of those that nobody has any more."""

import fcntl
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

_PREFIX = "linewise-executor-"
_SETTLED_S = 60.0
"""A folder that is younger may belong to somebody who has not taken its lock yet."""


class Home:
    """A folder of our own, locked while we live: a service that was killed leaves its own behind, unlocked.

    Raises:
        OSError: it can't be made.
    """

    def __init__(self) -> None:
        _remove_abandoned(Path(tempfile.gettempdir()))
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self.path.chmod(0o711)
        self._lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(self._lock, fcntl.LOCK_SH)

    def remove(self) -> None:
        """Remove the folder with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def _remove_abandoned(folder: Path) -> None:
    for home in folder.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            status = home.lstat()
            if status.st_uid == os.geteuid() and time.time() - status.st_mtime > _SETTLED_S:
                _remove_if_unlocked(home)


def _remove_if_unlocked(home: Path) -> None:
    lock = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(home, ignore_errors=True)
    finally:
        os.close(lock)
