"""Reading text that a person named on the command line."""

from pathlib import Path

from services.cli.errors import UsageError


def read_text(path: Path) -> str:
    """The whole file, its newlines as they are.

    Raises:
        UsageError: it cannot be opened, or is not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text.") from error
