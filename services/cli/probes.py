"""Questions that tell whether a child is ready: each is a function without arguments that answers at once."""

import socket
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

Probe = Callable[[], bool]

_TIMEOUT_S = 2.0


def answers_ok(url: str) -> Probe:
    """Ready when `GET url` answers 200 (a service's `/readyz`, or `/healthz` where readiness cannot be expected)."""

    def probe() -> bool:
        try:
            with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as reply:  # noqa: S310 - our own http:// URL
                return bool(reply.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    return probe


def redis_pongs(socket_path: Path) -> Probe:
    """Ready when the Redis behind a unix socket answers PING (not while it still loads its data)."""

    def probe() -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(_TIMEOUT_S)
                connection.connect(str(socket_path))
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False

    return probe


def file_appears(path: Path) -> Probe:
    """Ready when `path` exists: for a child that serves no HTTP and touches a file instead."""
    return path.exists
