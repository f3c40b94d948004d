"""The sandbox that serves: a zygote in a jail forks a child for each session, and this side watches the child.

What decides is out here: the clock, the limits, the captured streams, the killing. The zygote forks and reaps; it never
sees a program or a result, and what the child says is taken for data. Where this machine gives no namespaces the
zygote runs without, with a filter of system calls and Landlock alone; whether that will do is not decided here.
"""

import json
import marshal
import math
import os
import resource
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from services.executor import surroundings
from services.executor.folders import acting_as, empty, is_pristine, read_files, write_files
from services.executor.inside.confine import Bounds as ChildBounds
from services.executor.inside.jail import Plan
from services.executor.inside.program import CONFINE_EXIT, Job
from services.executor.inside.zygote import NEXT
from services.executor.sandbox import Ending, Phase, Report, SandboxError, Session
from services.executor.watch import CHILD_DESCRIPTORS, Child, Watch, process_id

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


class _NoNamespacesError(Exception):
    pass


class ForkServer:
    """A zygote, and the folder in which its programs run one after another.

    `uids` are the users of the zygote and of its programs, None where the service can't choose them. `isolation` names
    the layers in force, `missing` says for each other layer why it is not.

    Raises:
        SandboxError: the zygote did not start.
    """

    def __init__(
        self,
        uids: tuple[int, int] | None,
        *,
        packages: Sequence[str] = (),
        folder_bytes: int = 256 * 1024 * 1024,
        namespaces: bool = True,
    ) -> None:
        self._uids = uids
        self._packages = packages
        self._folder_bytes = folder_bytes
        self._in_use = threading.Lock()
        self._closing = threading.Lock()
        self._lifeline: int | None = None
        self._child: Child | None = None
        self.missing: dict[str, str] = {}
        try:
            try:
                self._start(namespaces=namespaces)
            except _NoNamespacesError as error:
                self.missing["namespaces"] = str(error)
                self._start(namespaces=False)
        except OSError as error:
            raise SandboxError(f"the sandbox can't be set up: {error}") from error

    def run(self, session: Session, keep_on: Callable[[Report], bool]) -> Ending:
        """See `Sandbox.run`."""
        with self._in_use:
            return self._run(session, keep_on)

    def _run(self, session: Session, keep_on: Callable[[Report], bool]) -> Ending:
        secret, mark = secrets.token_hex(16), secrets.token_hex(16)
        child = self._child
        if child is None:
            raise SandboxError("the sandbox is closed")
        watch = Watch(session, child, self._control, secret, mark)
        try:
            if session.files:
                with acting_as(self._program_uid):
                    write_files(self._folder, session.files)
            child.order(self._job(session, secret, mark))
            self._control.send(NEXT)
            ending, self._child = watch.follow(keep_on)
            child.close()
            files = self._tidy_up(session)
        except OSError as error:
            raise SandboxError(f"the sandbox failed: {error}") from error
        if ending.phase is Phase.COMPILE and ending.status == CONFINE_EXIT:
            raise SandboxError("a layer of the sandbox could not be put in force")
        return replace(ending, files=files) if files else ending

    def _tidy_up(self, session: Session) -> dict[str, bytes]:
        """What the session wants of the folder, which is empty afterwards."""
        if is_pristine(self._folder):
            return {}
        with acting_as(self._program_uid):
            files = read_files(self._folder, session.fetch, session.bounds.file_bytes)
            empty(self._folder)
        return files

    def close(self) -> None:
        """See `Sandbox.close`: without its lifeline the guard lets the zygote be killed, and with it all that runs."""
        with self._closing:
            if self._lifeline is not None:
                os.close(self._lifeline)
                self._lifeline = None
        self._await_guard()
        with self._in_use:
            if self._child is not None:
                self._control.close()
                self._child.close()
                self._child = None
                with acting_as(self._program_uid):
                    empty(self._folder)
                os.close(self._folder)
                self._remove_home()

    def _start(self, *, namespaces: bool) -> None:
        self._home = Path(tempfile.mkdtemp(prefix="linewise-executor-"))
        self._home.chmod(0o711)
        self._control, far_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        held, self._lifeline = os.pipe()
        with far_end:
            self._guard = subprocess.Popen(  # noqa: S603 (our own interpreter, our own script)
                [*_PYTHON, str(_SOURCES), str(far_end.fileno()), str(held), json.dumps(self._plan(namespaces))],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                cwd="/",
                env=_ENVIRONMENT,
                pass_fds=[far_end.fileno(), held],
                start_new_session=True,
            )
        os.close(held)
        try:
            self._greet()
        except (OSError, ValueError, KeyError) as error:
            self._give_up()
            raise SandboxError("the zygote did not start; its traceback is on stderr") from error
        except _NoNamespacesError:
            self._give_up()
            raise

    def _plan(self, namespaces: bool) -> Plan:
        folder = self._home / "run"
        folder.mkdir(mode=0o700)
        if self._program_uid is not None and not namespaces:
            os.chown(folder, self._program_uid, self._program_uid)
        modules, paths = surroundings.importable(self._packages)
        return {
            "namespaces": namespaces,
            "readable": surroundings.readable(self._packages),
            "devices": list(surroundings.DEVICES),
            "uids": self._uids,
            "folder": str(folder),
            "folder_bytes": self._folder_bytes,
            "packages": modules,
            "paths": paths,
        }

    @property
    def _program_uid(self) -> int | None:
        return self._uids[1] if self._uids else None

    def _greet(self) -> None:
        self._control.settimeout(_START_S)
        message, descriptors, _, _ = socket.recv_fds(
            self._control, _MESSAGE_BYTES, 2 + CHILD_DESCRIPTORS, socket.MSG_CMSG_CLOEXEC
        )
        self._control.settimeout(None)
        greeting = json.loads(message)
        if "error" in greeting:
            raise _NoNamespacesError(greeting["error"])
        self._folder, zygote, *child = descriptors
        self._child = Child(*child)
        self._zygote_bytes = _address_space(process_id(zygote))
        os.close(zygote)
        self.isolation = "+".join(greeting["layers"])
        self.missing |= greeting["missing"]

    def _give_up(self) -> None:
        self._control.close()
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None
        self._await_guard()
        self._remove_home()

    def _await_guard(self) -> None:
        try:
            self._guard.wait(timeout=_START_S)
        except subprocess.TimeoutExpired:
            self._guard.kill()
            self._guard.wait()

    def _remove_home(self) -> None:
        (self._home / "run").rmdir()
        self._home.rmdir()

    def _job(self, session: Session, secret: str, mark: str) -> bytes:
        job: Job = {
            "bounds": self._bounds(session),
            "secret": secret,
            "mark": mark,
            "code": session.code,
            "stdin": None if session.stdin is None else session.stdin.encode("utf-8", "surrogatepass"),
            "scripts": session.scripts,
        }
        return marshal.dumps(dict(job))

    def _bounds(self, session: Session) -> ChildBounds:
        limits = session.bounds
        return {
            "cpu_s": math.ceil(limits.cpu_s * (session.tests + 1)) + 1,
            "memory_bytes": limits.memory_bytes + self._zygote_bytes,
            "file_bytes": limits.file_bytes,
            "processes": limits.processes,
        }


def _address_space(pid: int) -> int:
    """Bytes of address space of a process: what each of its children has from the start."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()
