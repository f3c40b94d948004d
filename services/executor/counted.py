"""A sandbox that counts what is run in it."""

from collections.abc import Callable

from prometheus_client import Counter

from services.executor.sandbox import Ending, Report, Sandbox, Session


class Counted:
    """`sandbox`, and one more in `children` for each session."""

    def __init__(self, sandbox: Sandbox, children: Counter) -> None:
        self._sandbox = sandbox
        self._children = children

    @property
    def isolation(self) -> str:
        """See `Sandbox.isolation`."""
        return self._sandbox.isolation

    def run(self, session: Session, keep_on: Callable[[Report], bool]) -> Ending:
        """See `Sandbox.run`."""
        self._children.inc()
        return self._sandbox.run(session, keep_on)

    def close(self) -> None:
        """See `Sandbox.close`."""
        self._sandbox.close()
