"""Labels as Parquet: the columns are a record's fields, written in row groups as the records come.

Alone in knowing pyarrow, which is imported by the first who asks for Parquet and not by those who never do.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from services.contracts import LabelRecord

_STEP = pa.struct([("start", pa.int32()), ("end", pa.int32()), ("label", pa.int8()), ("soft_label", pa.float64())])
SCHEMA = pa.schema(
    [
        pa.field("problem_id", pa.string(), nullable=False),
        pa.field("prompt", pa.string(), nullable=False),
        pa.field("code", pa.string(), nullable=False),
        pa.field("origin", pa.string(), nullable=False),
        pa.field("operator", pa.string()),
        pa.field("teacher", pa.string(), nullable=False),
        pa.field("changed_step", pa.int32()),
        pa.field("steps", pa.list_(_STEP), nullable=False),
        pa.field("verdict", pa.string()),
        pa.field("killed_by", pa.string()),
    ]
)

_GROUP_RECORDS = 2_000
_GROUP_CHARACTERS = 4_000_000


def parquet(records: Iterable[LabelRecord]) -> Iterator[bytes]:
    """The pieces of one Parquet file; a row group is held at a time, and in the end the file's footer."""
    sink = _Sink()
    with pq.ParquetWriter(pa.PythonFile(sink, mode="w"), SCHEMA, compression="zstd") as writer:
        for group in _groups(records):
            writer.write_table(pa.Table.from_pylist(group, schema=SCHEMA))
            yield sink.take()
    yield sink.take()


def _groups(records: Iterable[LabelRecord]) -> Iterator[list[dict[str, Any]]]:
    group, characters = [], 0
    for record in records:
        group.append(record.model_dump(mode="json"))
        characters += len(record.prompt) + len(record.code)
        if len(group) == _GROUP_RECORDS or characters >= _GROUP_CHARACTERS:
            yield group
            group, characters = [], 0
    if group:
        yield group


class _Sink:
    """A file to write that keeps only what nobody has taken yet."""

    closed = False

    def __init__(self) -> None:
        self._waiting: list[bytes] = []
        self._written = 0

    def write(self, piece: bytes) -> int:
        self._waiting.append(bytes(piece))
        self._written += len(piece)
        return len(piece)

    def tell(self) -> int:
        return self._written

    def flush(self) -> None:
        """All is in memory."""

    def close(self) -> None:
        """What waits can still be taken."""

    def take(self) -> bytes:
        taken = b"".join(self._waiting)
        self._waiting.clear()
        return taken
