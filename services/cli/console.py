"""Where the command line writes: results to stdout, everything said on the way to stderr."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def stdout() -> "Console":
    """A rich console on stdout: colours on a terminal, plain text in a pipe."""
    from rich.console import Console

    return Console(highlight=False)


def say(sentence: str) -> None:
    """One line on stderr, at once, with the program's name before it."""
    print(f"linewise: {sentence}", file=sys.stderr, flush=True)  # noqa: T201 - this is the one place that prints


def put(text: str) -> None:
    """Plain text on stdout, as it is: for other programs to read."""
    print(text)  # noqa: T201 - this is the one place that prints
