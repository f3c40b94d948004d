"""A zygote as the service has it: started, greeted, and ended with all that runs in it."""

import json
import os
import resource
import socket
import subprocess
import sys
import threading
from pathlib import Path

from services.executor.child import CHILD_DESCRIPTORS, Child, process_id
from services.executor.inside.jail import Plan

_SOURCES = Path(__file__).parents[2]
_BOOT = (
    "import json, sys; sys.path[0] = sys.argv[1]; from services.executor.inside.zygote import main; "
    "del sys.path[0]; main(int(sys.argv[2]), int(sys.argv[3]), json.loads(sys.argv[4]))"
)
_PYTHON = (sys.executable, "-S", "-s", "-B", "-X", "utf8", "-c", _BOOT)
_ENVIRONMENT = {
    "PYTHONHASHSEED": "0",  # the order of a set of strings is the same in every run: no verdict depends on luck
    "OPENBLAS_NUM_THREADS": "1",  # a zygote has one thread, or it can't be forked
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
_START_S = 30.0
_MESSAGE_BYTES = 65536


class NoNamespacesError(Exception):
    """This machine allows no jail; the message says what it refused."""


class ZygoteProcess:
    """A zygote that has greeted.

    `control` is the socket to it, `layers` and `missing` are what it says of its walls, `folder` is a descriptor of its
    programs' folder, `child` waits for the first job, and `address_space_bytes` is what each child has from the start.

    Raises:
        NoNamespacesError: the plan wants a jail, and there is none to be had.
        OSError, ValueError: it did not start; its traceback is on stderr.
    """

    def __init__(self, plan: Plan) -> None:
        self.control, far_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        held, self._lifeline = os.pipe()
        self._ending, self._is_ended = threading.Lock(), False
        with far_end:
            self._guard = subprocess.Popen(  # noqa: S603 (our own interpreter, our own script)
                [*_PYTHON, str(_SOURCES), str(far_end.fileno()), str(held), json.dumps(plan)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                cwd="/",
                env=_ENVIRONMENT,
                pass_fds=[far_end.fileno(), held],
                start_new_session=True,
            )
        os.close(held)
        try:
            self._hear_greeting()
        except BaseException:
            self.end()
            self.control.close()
            raise

    def end(self) -> None:
        """Cut the lifeline: the guard ends, the zygote with it, and all that runs; safe more than once."""
        with self._ending:
            if not self._is_ended:
                self._is_ended = True
                os.close(self._lifeline)
        try:
            self._guard.wait(timeout=_START_S)
        except subprocess.TimeoutExpired:
            self._guard.kill()
            self._guard.wait()

    def _hear_greeting(self) -> None:
        self.control.settimeout(_START_S)
        flags = socket.MSG_CMSG_CLOEXEC
        message, descriptors, _, _ = socket.recv_fds(self.control, _MESSAGE_BYTES, 2 + CHILD_DESCRIPTORS, flags)
        self.control.settimeout(None)
        greeting = json.loads(message)
        if "error" in greeting:
            raise NoNamespacesError(greeting["error"])
        self.layers: list[str] = greeting["layers"]
        self.missing: dict[str, str] = greeting["missing"]
        self.folder, zygote, *child = descriptors
        self.child = Child(*child)
        self.address_space_bytes = _address_space(process_id(zygote))
        os.close(zygote)


def _address_space(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()
