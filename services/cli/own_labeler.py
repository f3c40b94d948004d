"""A labeler for the time of a block: the one that the environment names, or one started with all that it needs."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from services.cli.ports import free_ports
from services.cli.running import running
from services.cli.stack import Stack, data_dir_from_environment, redis_url_from_environment


@contextmanager
def labeler(allowances: Mapping[str, str]) -> Iterator[str]:
    """The URL of the labeler that the environment names, or of one started for the block's time.

    One that asks a model keeps its database in the data folder, for its replies were paid for.
    """
    if url := os.environ.get("LINEWISE_LABELER_URL"):
        yield url
        return
    redis_url = redis_url_from_environment()
    if any(allowances.values()):
        kept = f"sqlite:///{data_dir_from_environment().resolve() / 'labeler.db'}"
        for name, value in {**allowances, "LINEWISE_DATABASE_URL": kept}.items():
            os.environ.setdefault(name, value)
    with tempfile.TemporaryDirectory(prefix="linewise-") as folder:
        executor_port, labeler_port = free_ports(2)
        stack = Stack(Path(folder), executor_port=executor_port, labeler_port=labeler_port, redis_url=redis_url)
        with running(stack):
            yield stack.urls["labeler"]
