"""Keeps this process's memory and environment from other processes of the same user.

Where the executor runs as an ordinary user, submitted code runs as that user too, and `/proc/<pid>/environ` of every
process that holds a key would be open to it. Linux alone has this switch; elsewhere nothing happens. Root reads all the
same: as root the executor gives programs another user.
"""

import ctypes
import sys

_PR_SET_DUMPABLE = 4


def hide_from_own_user() -> None:
    """Make `/proc/<pid>/{environ,mem,fd}` of this process root's own (prctl(2), PR_SET_DUMPABLE), not its children's.

    Raises:
        OSError: the kernel refused.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_DUMPABLE) failed")
