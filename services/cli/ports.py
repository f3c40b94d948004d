"""TCP ports on this machine: which are free, and which may be used.

Leaves out races: a port found free can be taken before the service listens on it; the service then says so itself.
"""

import socket
from contextlib import ExitStack

from services.cli.errors import UsageError

LOOPBACK = "127.0.0.1"


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen on `port` now (a closed connection lingering there does not count)."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError:
            return False
        return True


def free_ports(count: int) -> list[int]:
    """Different ports that nobody listens on, of the system's choice; all are held at once, or one might come twice."""
    with ExitStack() as held:
        listeners = [held.enter_context(socket.create_server((LOOPBACK, 0))) for _ in range(count)]
        return [int(listener.getsockname()[1]) for listener in listeners]


def free_port() -> int:
    """A port that nobody listens on, of the system's choice."""
    return free_ports(1)[0]


def preferred_or_free(port: int) -> int:
    """`port` itself where it is free, else any other."""
    return port if is_free(port) else free_port()


def require_free(ports: dict[str, int]) -> None:
    """Refuse to go on when two services want one port, or a port is taken.

    Args:
        ports: service name to port; the names appear in the message.

    Raises:
        UsageError: naming each service whose port cannot be used.
    """
    if len(set(ports.values())) < len(ports):
        raise UsageError(f"each service needs a port of its own, not {_listed(ports)}.")
    taken = {name: port for name, port in ports.items() if not is_free(port)}
    if taken:
        options = " ".join(f"--{name}-port" for name in taken)
        raise UsageError(f"in use already: {_listed(taken)}; end what listens there or choose others with {options}.")


def _listed(ports: dict[str, int]) -> str:
    return ", ".join(f"port {port} ({name})" for name, port in ports.items())
