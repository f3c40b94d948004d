"""What several of these files need."""

from collections.abc import Callable

import pytest

from services.executor.sandbox import SandboxError
from services.executor.tasks import Task
from services.executor.worker import Done, Worker


class Broken:
    """A worker that never works."""

    isolation = "none"

    def do(self, task: Task, is_abandoned: Callable[[], bool]) -> Done:
        raise SandboxError("broken")

    def close(self) -> None:
        pass


@pytest.fixture
def make_broken() -> Callable[[int], Worker]:
    """Makes workers that start and then never work."""
    return lambda _: Broken()
