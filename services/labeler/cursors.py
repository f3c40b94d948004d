"""The cursor of a page of programs: where its last one stands, as `position-number`."""

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
        raise BadRequestError("bad_cursor", "the cursor is not one that this service gave out")
    return int(position), int(number)
