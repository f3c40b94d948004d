"""The sandbox that serves: a zygote in a jail forks a child for each session, and this side watches the child.

What decides is out here: the clock, the limits, the captured streams, the killing. The zygote forks and reaps; it never
sees a program or a result, and what the child says is taken for data. Where this machine gives no namespaces the
zygote runs without, with a filter of system calls and Landlock alone; whether that will do is not decided here.
"""

import marshal
import math
import os
import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from types import CodeType

from services.executor import surroundings
from services.executor.folders import acting_as, empty, is_pristine, read_files, write_files
from services.executor.homes import Home
from services.executor.inside.confine import Bounds as ChildBounds
from services.executor.inside.jail import Plan
from services.executor.inside.program import CONFINE_EXIT, Job, compile_step
from services.executor.inside.zygote import NEXT
from services.executor.sandbox import Ending, Phase, Report, SandboxError, Session
from services.executor.watch import Watch
from services.executor.zygote_process import NoNamespacesError, ZygoteProcess


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
        self._is_closed = False
        self.missing: dict[str, str] = {}
        try:
            self._zygote = self._start(namespaces=namespaces)
        except NoNamespacesError as error:
            self.missing["namespaces"] = str(error)
            self._zygote = self._start(namespaces=False)
        self._child = self._zygote.child
        self.missing |= self._zygote.missing
        self.isolation = "+".join(self._zygote.layers)

    def run(self, session: Session, keep_on: Callable[[Report], bool]) -> Ending:
        """See `Sandbox.run`."""
        with self._in_use:
            return self._run(session, keep_on)

    def _run(self, session: Session, keep_on: Callable[[Report], bool]) -> Ending:
        secret, mark = secrets.token_hex(16), secrets.token_hex(16)
        child = self._child
        if self._is_closed:
            raise SandboxError("the sandbox is closed")
        watch = Watch(session, child, self._zygote.control, secret, mark)
        try:
            if session.files:
                with acting_as(self._program_uid):
                    write_files(self._zygote.folder, session.files)
            child.order(self._job(session, secret, mark))
            self._zygote.control.send(NEXT)
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
        if is_pristine(self._zygote.folder):
            return {}
        with acting_as(self._program_uid):
            files = read_files(self._zygote.folder, session.fetch, session.bounds.file_bytes)
            empty(self._zygote.folder)
        return files

    def close(self) -> None:
        """See `Sandbox.close`: what runs is killed at once, and the rest is cleared away when nobody is in here."""
        self._zygote.end()
        with self._in_use:
            if not self._is_closed:
                self._is_closed = True
                self._zygote.control.close()
                self._child.close()
                with acting_as(self._program_uid):
                    empty(self._zygote.folder)
                os.close(self._zygote.folder)
                self._home.remove()

    def _start(self, *, namespaces: bool) -> ZygoteProcess:
        try:
            self._home = Home()
            try:
                return ZygoteProcess(self._plan(namespaces=namespaces))
            except BaseException:
                self._home.remove()
                raise
        except (OSError, ValueError) as error:
            raise SandboxError(f"the zygote did not start ({error}); its traceback is on stderr") from error

    def _plan(self, *, namespaces: bool) -> Plan:
        folder = self._home.path / "run"
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

    def _job(self, session: Session, secret: str, mark: str) -> bytes:
        job: Job = {
            "bounds": self._bounds(session),
            "secret": secret,
            "mark": mark,
            "code": session.code,
            "stdin": None if session.stdin is None else session.stdin.encode("utf-8", "surrogatepass"),
            "scripts": tuple(
                tuple((kind, _compiled(kind, source)) for kind, source in script) for script in session.scripts
            ),
        }
        return marshal.dumps(dict(job))

    def _bounds(self, session: Session) -> ChildBounds:
        limits = session.bounds
        return {
            "cpu_s": math.ceil(limits.cpu_s * (session.tests + 1)) + 1,
            "memory_bytes": limits.memory_bytes + self._zygote.address_space_bytes,
            "file_bytes": limits.file_bytes,
            "processes": limits.processes,
        }


@lru_cache(maxsize=16384)
def _compiled(kind: str, source: str) -> CodeType | str:
    """A step of a test as code, which the same Python runs in there; one that does not compile fails in there."""
    try:
        return compile_step(kind, source)
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError):
        return source
