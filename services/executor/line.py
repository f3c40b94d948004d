"""A line between two of our processes: messages of a kind and a body, over a stream socket."""

import select
import socket
import struct
from contextlib import suppress

_HEAD = struct.Struct("=cQ")


class Line:
    """One end of it; one thread sends and one receives.

    Its errors are `OSError`, and `EOFError` where the other end has hung up.
    """

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._poll = select.poll()
        self._poll.register(end, select.POLLIN)

    def send(self, kind: bytes, body: bytes = b"") -> None:
        """Say `body`, which is of the `kind` that one byte names."""
        self._socket.sendall(_HEAD.pack(kind, len(body)) + body)

    def receive(self) -> tuple[bytes, bytes]:
        """Wait for the next message: its kind and its body."""
        kind, length = _HEAD.unpack(self._take(_HEAD.size))
        return kind, self._take(length)

    def is_spoken_to(self, within_s: float = 0.0) -> bool:
        """Whether `receive` has something to read, or an end to tell of, by then."""
        return bool(self._poll.poll(within_s * 1000))

    def hang_up(self) -> None:
        """Wake whoever receives, at both ends, with the end."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give it back."""
        self._socket.close()

    def _take(self, length: int) -> bytes:
        taken = bytearray()
        while len(taken) < length:
            if not (part := self._socket.recv(min(length - len(taken), 1 << 20))):
                raise EOFError
            taken += part
        return bytes(taken)
