"""Where clients look when they are not told: the environment, else loopback and the contract's ports."""

import os
from pathlib import Path

from services.client.errors import LinewiseError

DEFAULT_URLS = {
    "scorer": "http://127.0.0.1:8001",
    "executor": "http://127.0.0.1:8002",
    "labeler": "http://127.0.0.1:8003",
}


def default_url(service: str) -> str:
    """`LINEWISE_<SERVICE>_URL`, or loopback and the default port of `service`."""
    return os.environ.get(f"LINEWISE_{service.upper()}_URL") or DEFAULT_URLS[service]


def default_api_key() -> str | None:
    """`LINEWISE_API_KEY`, the key that clients send, or the first in the file `LINEWISE_API_KEY_FILE` as it is now.

    Raises:
        LinewiseError: the file cannot be read, or holds no key.
    """
    if key := os.environ.get("LINEWISE_API_KEY"):
        return key
    file = os.environ.get("LINEWISE_API_KEY_FILE")
    return _first_key(file) if file else None


def _first_key(file: str) -> str:
    try:
        lines = map(str.strip, Path(file).read_text(encoding="utf-8").splitlines())
        return next(line for line in lines if line and not line.startswith("#"))
    except (OSError, UnicodeDecodeError, StopIteration) as error:
        reason = getattr(error, "strerror", None) or "it holds no key"
        raise LinewiseError(f"LINEWISE_API_KEY_FILE ({file}): {reason}") from error
