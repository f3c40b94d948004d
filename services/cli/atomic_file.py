"""A file that appears whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from services.cli.errors import UsageError


@contextmanager
def written_whole(path: Path) -> Iterator[TextIO]:
    """A text file to write that takes the place of `path` when the block ends well, and vanishes when it does not.

    Raises:
        UsageError: the folder of `path` cannot be written.
    """
    with _written(path, "w", encoding="utf-8", newline="\n") as file:
        yield file


@contextmanager
def bytes_written_whole(path: Path) -> Iterator[BinaryIO]:
    """The same for a file of bytes."""
    with _written(path, "wb") as file:
        yield file


@contextmanager
def _written(path: Path, mode: str, **options: Any) -> Iterator[Any]:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        file = beside.open(mode, **options)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from error
    try:
        with file:
            yield file
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
