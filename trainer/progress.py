"""Progress bars for long work, the same everywhere: on standard error, quiet where that is no terminal."""

from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

T = TypeVar("T")


class Bar:
    """A running progress bar; `advance` moves it and may change the note beside it."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def advance(self, amount: float = 1, note: str | None = None) -> None:
        """Move on by `amount` units of the bar's total."""
        self._progress.advance(self._task, amount)
        if note is not None:
            self._progress.update(self._task, note=note)

    def move_to(self, completed: float, note: str | None = None) -> None:
        """Stand at `completed` units, for work that counts by itself (seconds, say)."""
        self._progress.update(self._task, completed=completed)
        if note is not None:
            self._progress.update(self._task, note=note)


@contextmanager
def progress_bar(description: str, total: float | None = None) -> Iterator[Bar]:
    """A bar that lives as long as the block; `total=None` where the amount of work is not known."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        yield Bar(progress, progress.add_task(description, total=total, note=""))


def track(items: Iterable[T], description: str, total: float | None = None) -> Iterator[T]:
    """Yield `items` under a progress bar; the total is their length where they have one."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    with progress_bar(description, total) as bar:
        for item in items:
            yield item
            bar.advance()
