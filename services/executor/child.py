"""One process that waits for its job, or does it, by our ends of what it holds."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

CHILD_DESCRIPTORS = 5


class Child:
    """Where its job goes, its reports, stdout and stderr, and the process itself, each a descriptor."""

    def __init__(self, job: int, reports: int, stdout: int, stderr: int, process: int) -> None:
        self._job = job
        self.reports = reports
        self.stdout = stdout
        self.stderr = stderr
        self._process = process
        self._pid: int | None = None
        self._open = {job, reports, stdout, stderr, process}

    def order(self, job: bytes) -> None:
        """Give it its job, once; raises OSError where it is gone."""
        view = memoryview(job)
        while view:
            view = view[os.write(self._job, view) :]
        self._close(self._job)

    def kill(self) -> None:
        """End it, whatever it does; in a jail, with all that it started."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._process, signal.SIGKILL)

    def processor_time(self) -> float:
        """Seconds that it has spent so far; 0 when it is gone. The clock's number is Linux' `MAKE_PROCESS_CPUCLOCK`."""
        if self._pid is None:
            self._pid = process_id(self._process)
        with suppress(OSError):
            spent_s = time.clock_gettime((~self._pid << 3) | 2)
            signal.pidfd_send_signal(self._process, 0)  # still there: nobody else had its number
            return spent_s
        return 0.0

    def close(self) -> None:
        """Close all of our ends; a child that still waits for its job then leaves."""
        for descriptor in list(self._open):
            self._close(descriptor)

    def _close(self, descriptor: int) -> None:
        self._open.remove(descriptor)
        os.close(descriptor)


def process_id(process: int) -> int:
    """The number here of the process behind a pidfd; -1 if it is gone."""
    lines = Path(f"/proc/self/fdinfo/{process}").read_text().splitlines()
    return next(int(line.removeprefix("Pid:")) for line in lines if line.startswith("Pid:"))
