"""The sandbox that serves: a zygote process forks a child for each session, and this side watches the child.

What decides is out here: the clock, the limits, the captured streams. The zygote forks, kills and reaps; it never sees
a program or a result, and what the child says is taken for data. Not isolated: the file system outside the program's
own folder (it is read as an unprivileged user reads it, and its world-writable folders can be written to).
"""

import json
import math
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from services.executor.folders import is_pristine, read_files, remove_tree, write_files
from services.executor.inside.confine import Bounds as ChildBounds
from services.executor.inside.program import CONFINE_EXIT
from services.executor.sandbox import Ending, Phase, Report, SandboxError, Session
from services.executor.watch import Watch

_SOURCES = Path(__file__).parents[2]
_BOOT = (
    "import sys; sys.path[0] = sys.argv[1]; from services.executor.inside.zygote import main; "
    "del sys.path[0]; main(int(sys.argv[2]))"
)
_PYTHON = (sys.executable, "-S", "-s", "-B", "-X", "utf8", "-c", _BOOT)
_HASH_SEED = "0"
"""The order of a set of strings is the same in every run: a verdict must not depend on luck."""
_START_S = 30.0


class ForkServer:
    """A zygote, and the folder in which its programs run one after another.

    `uid` is the unprivileged user of the programs; None where the service is an ordinary user itself.

    Raises:
        SandboxError: the zygote did not start.
    """

    def __init__(self, uid: int | None) -> None:
        self._uid = uid
        self._in_use = threading.Lock()
        self._home = Path(tempfile.mkdtemp(prefix="linewise-executor-"))
        self._home.chmod(0o711)
        self._folder = self._make_folder()
        self._control, far_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with far_end:
            self._zygote = subprocess.Popen(  # noqa: S603 (our own interpreter, our own script)
                [*_PYTHON, str(_SOURCES), str(far_end.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                cwd="/",
                env={"PYTHONHASHSEED": _HASH_SEED},
                pass_fds=[far_end.fileno()],
                start_new_session=True,
            )
        self.isolation = "+".join(self._greeting())

    def run(self, session: Session, keep_on: Callable[[Report], bool]) -> Ending:
        """See `Sandbox.run`."""
        with self._in_use:
            return self._run(session, keep_on)

    def _run(self, session: Session, keep_on: Callable[[Report], bool]) -> Ending:
        secret, mark = secrets.token_hex(16), secrets.token_hex(16)
        watch = Watch(session, self._control, secret, mark)
        try:
            write_files(self._folder, session.files, self._uid)
            self._order(session, watch, _job(session, secret, mark))
            ending = watch.follow(keep_on)
            files = read_files(self._folder, session.fetch, session.bounds.file_bytes)
            self._clean_folder()
        except OSError as error:
            raise SandboxError(f"the sandbox failed: {error}") from error
        finally:
            watch.close()
        if ending.phase is Phase.COMPILE and ending.status == CONFINE_EXIT:
            raise SandboxError("a layer of the sandbox could not be put in force")
        return replace(ending, files=files) if files else ending

    def close(self) -> None:
        """See `Sandbox.close`: at the end of its line the zygote kills what it has forked, and leaves."""
        with suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)
        try:
            self._zygote.wait(timeout=_START_S)
        except subprocess.TimeoutExpired:
            self._zygote.kill()
            self._zygote.wait()
        with self._in_use:
            self._control.close()
            if self._home.exists():
                remove_tree(self._home)

    def _greeting(self) -> list[str]:
        self._control.settimeout(_START_S)
        try:
            layers: list[str] = json.loads(self._control.recv(4096))["layers"]
        except (OSError, ValueError) as error:
            self.close()
            raise SandboxError("the zygote did not start; its traceback is on stderr") from error
        self._control.settimeout(None)
        return layers

    def _make_folder(self) -> Path:
        folder = self._home / "run"
        folder.mkdir(mode=0o700)
        if self._uid is not None:
            os.chown(folder, self._uid, self._uid)
        return folder

    def _clean_folder(self) -> None:
        if not is_pristine(self._folder):
            remove_tree(self._folder)
            self._make_folder()

    def _bounds(self, session: Session) -> ChildBounds:
        limits = session.bounds
        return ChildBounds(
            cpu_s=math.ceil(limits.cpu_s * (session.tests + 1)) + 1,
            memory_bytes=limits.memory_bytes,
            file_bytes=limits.file_bytes,
            processes=limits.processes,
            uid=self._uid,
            folder=str(self._folder),
        )

    def _order(self, session: Session, watch: Watch, job: bytes) -> None:
        descriptors = [_memory_file(job), _memory_file((session.stdin or "").encode("utf-8", "surrogatepass"))]
        try:
            socket.send_fds(self._control, [json.dumps(self._bounds(session)).encode()], [*descriptors, *watch.writers])
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        watch.hand_over()


def _job(session: Session, secret: str, mark: str) -> bytes:
    job = {
        "secret": secret,
        "mark": mark,
        "code": session.code,
        "main": session.stdin is not None,
        "scripts": session.scripts,
    }
    return json.dumps(job).encode()


def _memory_file(content: bytes) -> int:
    descriptor = os.memfd_create("linewise")
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
