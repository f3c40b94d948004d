"""What several of these files need."""

from collections.abc import Callable

import pytest

from services.executor.sandbox import Ending, Report, Sandbox, SandboxError, Session


class Broken:
    """A sandbox that never works."""

    isolation = "none"

    def run(self, session: Session, keep_on: Callable[[Report], bool]) -> Ending:
        raise SandboxError("broken")

    def close(self) -> None:
        pass


@pytest.fixture
def make_broken() -> Callable[[int], Sandbox]:
    """Makes sandboxes that start and then never work."""
    return lambda _: Broken()
