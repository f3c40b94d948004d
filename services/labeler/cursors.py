"""Cursors: a page of programs ends at a `position-number`, a page of jobs at the id of its last one."""

from services.kit.errors import BadRequestError

_MOST_DIGITS = 9


def key_of(cursor: str | None) -> tuple[int, int] | None:
    """What `cursor` stands for; None is the beginning.

    Raises:
        BadRequestError: this service gave out no such cursor.
    """
    if cursor is None:
        return None
    position, _, number = cursor.partition("-")
    if not all(part.isascii() and part.isdecimal() and len(part) <= _MOST_DIGITS for part in (position, number)):
        raise _unknown()
    return int(position), int(number)


def check_job_cursor(cursor: str | None) -> None:
    """Raise `BadRequestError` for what can't be a job's id."""
    if cursor is not None and not (cursor.isascii() and cursor.isalnum()):
        raise _unknown()


def _unknown() -> BadRequestError:
    return BadRequestError("bad_cursor", "the cursor is not one that this service gave out")
