"""What a child writes, read while it runs: bounded, and cut at the marks between tests.

Nobody is woken by each line: a pipe holds what comes until the watch looks in, and only one that fills fast is polled.
"""

import os

_CHUNK_BYTES = 65536
_MUCH_BYTES = 16 * 1024


class Source:
    """The reading end of a pipe whose writing end is the child's; reading never blocks."""

    def __init__(self, reader: int) -> None:
        self.reader = reader
        self.fills_fast = False
        """True once so much was waiting here that the pipe might soon have been full."""
        os.set_blocking(reader, False)

    def chunk(self) -> bytes:
        """What there is to read now, at most a chunk; empty where nothing waits and where nothing will come."""
        try:
            chunk = os.read(self.reader, _CHUNK_BYTES)
        except BlockingIOError:
            return b""
        self.fills_fast |= len(chunk) > _MUCH_BYTES
        return chunk


class Output(Source):
    """stdout or stderr: keeps `most` bytes of each test and little more."""

    def __init__(self, reader: int, mark: bytes, most: int) -> None:
        super().__init__(reader)
        self._mark = mark
        self._most = most
        self._buffer = bytearray()

    def drain(self) -> None:
        """Take in all that waits, or enough to know that it is too much."""
        while not self.overflowing and (chunk := self.chunk()):
            self._buffer += chunk

    @property
    def overflowing(self) -> bool:
        """True where the test that runs has printed too much (a mark may be half read: so much is forgiven)."""
        return len(self._buffer) > self._most + len(self._mark) and self._mark not in self._buffer

    def cut(self) -> tuple[str, bool]:
        """One test's output as text, and whether it was cut; what lies behind its mark stays for the next."""
        if self._buffer.startswith(self._mark):  # nothing was printed, as in most tests
            del self._buffer[: len(self._mark)]
            return "", False
        end = self._buffer.find(self._mark)
        length = len(self._buffer) if end < 0 else end
        text = self._buffer[: min(length, self._most)].decode("utf-8", "replace")
        del self._buffer[: length + (len(self._mark) if end >= 0 else 0)]
        return text, length > self._most
