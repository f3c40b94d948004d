"""Two fork servers as one sandbox: a plain one, and one with third-party packages for programs that name them."""

import re
from collections.abc import Callable

from services.executor.sandbox import Ending, Report, Sandbox, SandboxError, Session


class Flavours:
    """Runs a session in `plain`, or in what `make_loaded` makes once a program names one of `packages`.

    The second is made at the first such program and kept; like every zygote it costs memory.
    """

    def __init__(self, plain: Sandbox, make_loaded: Callable[[], Sandbox], packages: tuple[str, ...]) -> None:
        self._plain = plain
        self._make_loaded = make_loaded
        self._loaded: Sandbox | None = None
        self._closed = False
        names = "|".join(re.escape(name.replace("-", "_")) for name in packages)
        self._names = re.compile(rf"\b(?:{names})\b") if packages else None

    @property
    def isolation(self) -> str:
        """Of the plain one; the other has the same, or is not made."""
        return self._plain.isolation

    def run(self, session: Session, keep_on: Callable[[Report], bool]) -> Ending:
        """See `Sandbox.run`."""
        return self._for(session).run(session, keep_on)

    def close(self) -> None:
        """See `Sandbox.close`."""
        self._closed = True
        self._plain.close()
        if self._loaded:
            self._loaded.close()

    def _for(self, session: Session) -> Sandbox:
        if not self._names or not self._is_named(self._names, session):
            return self._plain
        if self._loaded is None:
            self._loaded = self._make_loaded()
            if self._closed:
                self._loaded.close()
                raise SandboxError("the sandbox is closed")
        return self._loaded

    def _is_named(self, names: re.Pattern[str], session: Session) -> bool:
        files = (content.decode("utf-8", "ignore") for content in session.files.values())
        steps = (source for script in session.scripts for _, source in script)
        return any(names.search(source) for source in (session.code, *steps, *files))
