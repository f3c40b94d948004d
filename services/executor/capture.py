"""A child's output, read while it runs: bounded, and cut at the marks between tests."""

import os

_CHUNK_BYTES = 65536


class Pipe:
    """A pipe whose writing end is the child's; the reading end never blocks."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.reader, False)
        self._open = {self.reader, self.writer}

    def fileno(self) -> int:
        """The reading end."""
        return self.reader

    def hand_over(self) -> None:
        """Close our copy of the writing end, once the child has its own."""
        self._close(self.writer)

    def close(self) -> None:
        """Close both ends."""
        self._close(self.writer)
        self._close(self.reader)

    def chunk(self) -> bytes:
        """What there is to read now, at most a chunk; empty where nothing waits and where nothing will come."""
        try:
            return os.read(self.reader, _CHUNK_BYTES)
        except BlockingIOError:
            return b""

    def _close(self, descriptor: int) -> None:
        if descriptor in self._open:
            self._open.remove(descriptor)
            os.close(descriptor)


class Output(Pipe):
    """stdout or stderr: keeps `most` bytes of each test and little more."""

    def __init__(self, mark: bytes, most: int) -> None:
        super().__init__()
        self._mark = mark
        self._most = most
        self._buffer = bytearray()

    def read(self) -> bool:
        """Take in a chunk; False where there is none, now or for ever."""
        chunk = self.chunk()
        self._buffer += chunk
        return bool(chunk)

    def drain(self) -> None:
        """Take in all that waits, or enough to know that it is too much."""
        while not self.overflowing and self.read():
            pass

    @property
    def overflowing(self) -> bool:
        """True where the test that runs has printed too much (a mark may be half read: so much is forgiven)."""
        return len(self._buffer) > self._most + len(self._mark) and self._mark not in self._buffer

    def cut(self) -> tuple[str, bool]:
        """One test's output as text, and whether it was cut; what lies behind its mark stays for the next."""
        test, mark, rest = bytes(self._buffer).partition(self._mark)
        self._buffer = bytearray(rest if mark else b"")
        return test[: self._most].decode("utf-8", "replace"), len(test) > self._most
