"""What a child says of itself, taken for data: parsed strictly, bounded, and believed only with the run's secret.

A line without the secret, or of another shape, is passed over: a program that writes there says nothing.
"""

import json
import math
from dataclasses import dataclass
from typing import Any

from services.executor.capture import Source
from services.executor.sandbox import Failure

_read_json = json.JSONDecoder().raw_decode
MAX_REPORTS_BYTES = 32 * 1024 * 1024
"""What one child may report in all."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """The code compiles; it has not run yet."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """The code has run to its end; the tests come next."""


@dataclass(frozen=True, slots=True)
class Broken:
    """Compiling or loading ended in an exception."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class Answered:
    """A test has come to its end, or to an exception; seconds and peak memory are by the child's own account."""

    number: int
    values: tuple[Any, ...]
    failure: Failure | None
    wall_s: float
    cpu_s: float
    memory_bytes: int


Said = Compiled | Loaded | Broken | Answered


class Reports(Source):
    """The pipe that reports come through."""

    def __init__(self, reader: int, secret: bytes) -> None:
        super().__init__(reader)
        self._secret = secret
        self._pending = bytearray()
        self._bytes = 0

    @property
    def overflowing(self) -> bool:
        """True where the child has written more than any honest one."""
        return self._bytes > MAX_REPORTS_BYTES

    def drain(self) -> list[Said]:
        """The reports that are complete by now."""
        said = []
        while not self.overflowing and (chunk := self.chunk()):
            self._bytes += len(chunk)
            self._pending += chunk
        if b"\n" in self._pending:
            *lines, self._pending = self._pending.split(b"\n")
            said = [parsed for line in lines if (parsed := self._parse(line))]
        return said

    def _parse(self, line: bytearray) -> Said | None:
        if not line.startswith(self._secret):
            return None
        try:
            text = line[len(self._secret) :].decode()
            report, end = _read_json(text)
            return _said(report) if end == len(text) else None
        except (ValueError, TypeError, RecursionError):
            return None


def _said(report: object) -> Said | None:
    match report:
        case [
            "test",
            int() as number,
            list() as values,
            failure,
            float() as wall_s,
            float() as cpu_s,
            int() as memory_bytes,
        ]:
            done = None if failure is None else _failure(failure)
            return Answered(number, tuple(values), done, _plausible(wall_s), _plausible(cpu_s), max(0, memory_bytes))
        case ["compiled"]:
            return Compiled()
        case ["loaded"]:
            return Loaded()
        case ["compile" | "load", failure]:
            return Broken(_failure(failure))
    return None


def _failure(raw: object) -> Failure:
    match raw:
        case [str() as name, str() as message, int() | None as line, str() as kind]:
            return Failure(_printable(name), _printable(message), line, kind)
    raise ValueError("not a failure")


def _printable(text: str) -> str:
    """`text` as UTF-8 can carry it: lone surrogates become question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _plausible(seconds: float) -> float:
    return seconds if math.isfinite(seconds) and seconds >= 0 else 0.0
