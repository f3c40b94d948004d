"""Checks the paths and the contents that come with `/run_code`: what can't be put into a folder is refused here.

The sandbox would fail on a bad path, and its failure would count as ours.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping

from services.kit.errors import BadRequestError, TooLargeError

_MOST_FILES = 1000
_MOST_PART_BYTES, _MOST_PATH_BYTES = 255, 1024


def decode_files(files: Mapping[str, str | None], most_bytes: int) -> dict[str, bytes]:
    """The contents by their plain paths; a file whose content is null is left out, as SandboxFusion does.

    Raises:
        BadRequestError: a path leads out of the folder or through another file, or a content is no base64.
        TooLargeError: all together are larger than `most_bytes`.
    """
    given = {name: content for name, content in files.items() if content is not None}
    paths = plain_paths(given, "files")
    found = {path: _decode(name, given[name]) for name, path in paths.items()}
    if len(found) < len(given):
        raise _bad_path("files", "two paths are the same file")
    for path in found:
        parts = path.split("/")
        if any("/".join(parts[:count]) in found for count in range(1, len(parts))):
            raise _bad_path("files", f"{path!r} leads through another file")
    if sum(map(len, found.values())) > most_bytes:
        raise TooLargeError("files_too_large", f"the files of a program may have {most_bytes} bytes in all")
    return found


def plain_paths(names: Iterable[str], field: str) -> dict[str, str]:
    """Each of `names` (the request's `field`) with its path in the folder: `./a//b` is `a/b`.

    Raises:
        BadRequestError: too many, or one that is no path in the folder.
    """
    paths = {name: _plain(name, field) for name in names}
    if len(paths) > _MOST_FILES:
        raise BadRequestError("too_many_files", f"{field} may name {_MOST_FILES} files", details={"path": field})
    return paths


def _plain(name: str, field: str) -> str:
    parts = [part for part in name.split("/") if part not in ("", ".")]
    plain = "/".join(parts)
    if name.startswith("/") or not parts or ".." in parts or "\0" in name or name.endswith("/"):
        raise _bad_path(field, f"{name!r} is not a relative path of a file in the program's folder")
    if len(plain.encode()) > _MOST_PATH_BYTES or any(len(part.encode()) > _MOST_PART_BYTES for part in parts):
        raise _bad_path(field, f"a path of {len(plain)} characters is too long")
    return plain


def _decode(name: str, content: str | None) -> bytes:
    try:
        return base64.b64decode("".join((content or "").split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRequestError("not_base64", f"files[{name!r}] is not base64", details={"path": "files"}) from error


def _bad_path(field: str, message: str) -> BadRequestError:
    return BadRequestError("bad_path", message, details={"path": field})
