"""Runs an app with uvicorn: a clear word where it can't start, and no accepted request lost where it ends."""

import asyncio
import gc
import ipaddress
import logging
import socket
from types import FrameType

import uvicorn
from fastapi import FastAPI

from services import tracing
from services.kit.connections import BoundedConfig, Bounds, raise_descriptor_limit
from services.kit.errors import StartupError
from services.kit.logs import configure_logging
from services.kit.secrecy import hide_from_own_user
from services.kit.settings import ServiceSettings

logger = logging.getLogger(__name__)

_BACKLOG = 2048
_GARBAGE = 50_000
"""Objects made before a collection, instead of 700: one batch makes thousands, nearly all of them without cycles."""
_KEEP_ALIVE_S = 75
"""Longer than clients and proxies keep idle connections, so that they close them, and we never under a request."""


def run(app: FastAPI, *, host: str, port: int, settings: ServiceSettings) -> None:
    """Serve until SIGTERM or SIGINT, then drain and return.

    Raises:
        StartupError: a public address without keys, a port in use, or the app's own start failed.
    """
    refuse_open_door(host, settings)
    listener = bind(host, port)
    hide_from_own_user()
    configure_logging(settings.log_level)
    tracing.configure(app.title.lower().replace(" ", "-"))
    config = BoundedConfig(
        app,
        _bounds(settings),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(1, round(settings.drain_s)),
        backlog=_BACKLOG,
    )
    server = DrainingServer(config, app, delay_s=settings.drain_delay_s)
    try:
        asyncio.run(server.serve(sockets=[listener]))
    finally:
        listener.close()
        tracing.flush()
    if not server.started:
        raise app.state.startup_error or StartupError(f"{app.title} did not start; its log says why")


def _bounds(settings: ServiceSettings) -> Bounds:
    """As set, but half of this process's descriptors are left to its own work."""
    return Bounds(
        head_s=settings.head_s,
        body_s=settings.body_s,
        head_bytes=settings.max_head_bytes,
        connections=min(settings.max_connections, raise_descriptor_limit() // 2),
    )


def refuse_open_door(host: str, settings: ServiceSettings) -> None:
    """Raise `StartupError` if strangers could call this service."""
    if settings.wants_keys or settings.allow_anonymous or _is_loopback(host):
        return
    raise StartupError(
        f"refusing to listen on {host} without keys: set LINEWISE_API_KEYS "
        "or LINEWISE_API_KEYS_FILE, or LINEWISE_ALLOW_ANONYMOUS=1 where the network is trusted"
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens on `host` and `port` (0: any free one), or `StartupError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # asyncio sets it only on sockets whose protocol number says TCP; without it a reply in two writes waits 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise StartupError(f"cannot listen on {host}:{port}: {error.strerror}; choose another --port") from error
    return listener


class DrainingServer(uvicorn.Server):
    """After a signal it is not ready, but serves for `delay_s` seconds; then it ends with its last request."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, *, delay_s: float) -> None:
        super().__init__(config)
        self._app = app
        self._delay_s = delay_s
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        try:
            await super().startup(sockets)
        except SystemExit:
            self.should_exit = True
        gc.freeze()
        gc.set_threshold(_GARBAGE)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A second signal, or one before the loop runs, ends at once."""
        drain = self._app.state.drain
        if self._loop is None or drain.begun or not self.started:
            self.should_exit = self.force_exit = True
            return
        logger.info("draining", extra={"signal": sig})
        self._loop.call_soon_threadsafe(self._begin_drain)

    def _begin_drain(self) -> None:
        assert self._loop is not None
        self._app.state.drain.begin()
        self._loop.call_later(self._delay_s, self._stop)

    def _stop(self) -> None:
        self.should_exit = True
