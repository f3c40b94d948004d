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


def default_api_key(service: str) -> str | None:
    """The key to send to `service`: `LINEWISE_<SERVICE>_API_KEY` where that is set, else `LINEWISE_API_KEY`.

    Instead of either its name with `_FILE` behind it may name a file, whose first key is read as it is now.

    Raises:
        LinewiseError: the file cannot be read, or holds no key.
    """
    return _key(f"LINEWISE_{service.upper()}_API_KEY") or _key("LINEWISE_API_KEY")


def _key(variable: str) -> str | None:
    if key := os.environ.get(variable):
        return key
    file = os.environ.get(f"{variable}_FILE")
    return _first_key(file, f"{variable}_FILE") if file else None


def _first_key(file: str, variable: str) -> str:
    try:
        lines = map(str.strip, Path(file).read_text(encoding="utf-8").splitlines())
        return next(line for line in lines if line and not line.startswith("#"))
    except (OSError, UnicodeDecodeError, StopIteration) as error:
        reason = getattr(error, "strerror", None) or "it holds no key"
        raise LinewiseError(f"{variable} ({file}): {reason}") from error
