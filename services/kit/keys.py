"""The bearer keys that a service accepts: some from its settings, some from a file that may change while it serves.

The file holds a key a line; empty lines and those that open with `#` count for nothing. It is looked at with each
request that brings a key and read again when it has changed, so that keys are rotated without a restart: add the new
one, give it to the clients, take the old one away. A file that cannot be read, or holds no key, changes nothing: the
keys read last stay in force, and the log says so.
"""

import hashlib
import hmac
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import SecretStr

from services.kit.errors import StartupError

logger = logging.getLogger(__name__)

_Stamp = tuple[int, int, int]


class Keys:
    """Keys are kept and compared as digests, in a time that depends on nothing but how many there are."""

    def __init__(self, fixed: Sequence[SecretStr], file: Path | None = None) -> None:
        """Read the file for the first time.

        Raises:
            StartupError: it cannot be read, or holds no key.
        """
        self._fixed = _digests(key.get_secret_value() for key in fixed)
        self._file = file
        self._from_file: frozenset[bytes] = frozenset()
        self._stamp: _Stamp | None = None
        if file is not None:
            try:
                self._stamp, self._from_file = _stamp(file), _read(file)
            except (OSError, ValueError) as error:
                raise StartupError(f"no keys in LINEWISE_API_KEYS_FILE ({file}): {_reason(error)}") from error

    def accepts(self, key: str) -> bool:
        """Whether `key` is one of them now."""
        self._look_again()
        sent = _digest(key)
        matches = [hmac.compare_digest(sent, known) for known in (*self._fixed, *self._from_file)]
        return any(matches)

    def _look_again(self) -> None:
        if self._file is None:
            return
        try:
            stamp = _stamp(self._file)
            if stamp == self._stamp:
                return
            self._stamp = stamp
            self._from_file = _read(self._file)
        except (OSError, ValueError) as error:
            logger.error("the key file is of no use, the keys read last stay", extra={"reason": _reason(error)})
        else:
            logger.info("the key file was read again", extra={"keys": len(self._from_file)})


def _read(file: Path) -> frozenset[bytes]:
    lines = (line.strip() for line in file.read_text(encoding="utf-8").splitlines())
    found = _digests(line for line in lines if line and not line.startswith("#"))
    if not found:
        raise ValueError("it holds none")
    return found


def _stamp(file: Path) -> _Stamp:
    """What changes when the file is written again or, as secrets in a cluster are, replaced by another."""
    status = file.stat()
    return status.st_mtime_ns, status.st_ino, status.st_size


def _digests(keys: Iterable[str]) -> frozenset[bytes]:
    return frozenset(map(_digest, keys))


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def _reason(error: Exception) -> str:
    """What is wrong, without a byte of what the file holds."""
    if isinstance(error, UnicodeDecodeError):
        return "it is not text in UTF-8"
    return str(getattr(error, "strerror", None) or error)
