"""Runs a command that dies when its parent dies, however the parent dies.

    python -I -S tether.py SIGNAL PARENT_PID COMMAND [ARGUMENT ...]

Asks the kernel to send this process SIGNAL when the thread that started it ends (`PR_SET_PDEATHSIG`, kept across
`exec`), then becomes COMMAND. A script of its own, not a `preexec_fn`: Python code between fork and exec may deadlock
in a parent with threads. Linux alone; elsewhere the command runs without the tether.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1


def tethered(argv: tuple[str, ...], death_signal: int) -> list[str]:
    """The command line that runs `argv` tethered to the calling thread."""
    return [sys.executable, "-I", "-S", __file__, str(death_signal), str(os.getpid()), *argv]


def _become(death_signal: int, parent: int, argv: list[str]) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent:  # it died before the kernel knew
        sys.exit(1)
    os.execv(argv[0], argv)  # noqa: S606 - replacing this process is the point, and no shell is wanted


if __name__ == "__main__":
    _become(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
