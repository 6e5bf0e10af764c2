"""Segments of a journal: files of records, each whole or absent whatever the moment of a crash.

    segment = HEAD record*
    record  = MARK, length, CRC-32 of length and payload; payload
    payload = length of the head, head (JSON: tables and keys with their lengths), bytes

Rows are Arrow streams, states are whatever bytes their owner gives. A record is synced before the
next is written, so only the last can be torn, and then it was not acknowledged. A wrong record with
a sound one behind it is damage to the disk.
"""

from __future__ import annotations

import dataclasses
import json
import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from tree6g.errors import LedgerError

HEAD: Final = b"tree6g-journal-1\n"
MARK: Final = b"t6gj"
_FRAME: Final = struct.Struct("<4sII")
_LENGTH: Final = struct.Struct("<I")
LONGEST_BYTE: Final = (1 << 32) - 1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Rows and states that are durable together.

    Attributes:
        tables: Rows by table.
        state: New states by key; None removes one.
    """

    tables: Mapping[str, pa.Table]
    state: Mapping[str, bytes | None]


def encode(record: Record) -> bytes:
    """A record as bytes with its length and check sum.

    Raises:
        LedgerError: It is longer than a record may be.
    """
    rows = [(table, _to_stream(data)) for table, data in record.tables.items()]
    head = {
        "rows": [[table, len(data)] for table, data in rows],
        "state": [[k, None if v is None else len(v)] for k, v in record.state.items()],
    }
    text = json.dumps(head, separators=(",", ":")).encode()
    states = [v for v in record.state.values() if v is not None]
    payload = b"".join([_LENGTH.pack(len(text)), text, *(data for _, data in rows), *states])
    if len(payload) > LONGEST_BYTE:
        raise LedgerError(
            f"expected a record of at most {LONGEST_BYTE} bytes; got {len(payload)}. "
            "Record fewer rows at a time."
        )
    return _FRAME.pack(MARK, len(payload), _check(payload)) + payload


def decode(payload: bytes | memoryview) -> Record:
    """The record that `encode` made a payload of."""
    view = memoryview(payload)
    (length,) = _LENGTH.unpack_from(view)
    at = _LENGTH.size + length
    head: dict[str, list[tuple[str, Any]]] = json.loads(bytes(view[_LENGTH.size : at]))
    tables, state = {}, {}
    for table, size in head["rows"]:
        tables[table] = pa.ipc.open_stream(pa.py_buffer(view[at : at + size])).read_all()
        at += size
    for key, size in head["state"]:
        state[key] = None if size is None else bytes(view[at : at + size])
        at += size or 0
    return Record(tables=tables, state=state)


def records(content: bytes, path: Path) -> Iterator[tuple[Record, int]]:
    """The whole records of a segment, each with the offset at which it ends.

    A torn record at the end is left out.

    Raises:
        LedgerError: No segment, or a wrong record that is not the last.
    """
    if not content.startswith(HEAD):
        raise LedgerError(
            f"expected a journal of tree6g in {path}; got {content[: len(HEAD)]!r}. It was written "
            "by another version or damaged: move it out of the ledger, and lose its rows."
        )
    view, at = memoryview(content), len(HEAD)
    while at < len(content):
        end = _end_of(view, at)
        if end is None:
            _require_torn(content, at, path)
            return
        yield decode(view[at + _FRAME.size : end]), end
        at = end


def _end_of(view: memoryview, at: int) -> int | None:
    """Where the whole record that begins at `at` ends; None if there is none."""
    if len(view) - at < _FRAME.size:
        return None
    mark, length, check = _FRAME.unpack_from(view, at)
    end = at + _FRAME.size + length
    if mark != MARK or end > len(view) or check != _check(view[at + _FRAME.size : end]):
        return None
    return int(end)


def _require_torn(content: bytes, at: int, path: Path) -> None:
    view, found = memoryview(content), content.find(MARK, at + 1)
    while found >= 0:
        if _end_of(view, found) is not None:
            raise LedgerError(
                f"expected whole records in {path}; that at byte {at} is damaged and a sound one "
                f"follows at byte {found}, so the disk has lost what was safe. Move the file out "
                "of the ledger, and lose its rows, or restore it."
            )
        found = content.find(MARK, found + 1)


def _check(payload: bytes | memoryview) -> int:
    return zlib.crc32(payload, zlib.crc32(_LENGTH.pack(len(payload))))


def _to_stream(data: pa.Table) -> memoryview:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, data.schema) as stream:
        stream.write_table(data)
    return memoryview(sink.getvalue())


class Appender:
    """Adds records to the end of a segment; a record that fails leaves nothing behind."""

    def __init__(self, path: Path, end: int) -> None:
        """Open a segment whose last whole record ends at `end`, and remove what follows."""
        self._file = os.open(path, os.O_WRONLY)
        self.end = end
        self.broken = False
        try:
            if os.fstat(self._file).st_size != end:
                self._cut()
        except BaseException:
            self.close()
            raise

    def add(self, frame: bytes) -> None:
        """Write a record and sync it.

        Raises:
            OSError: It is not written; `broken` says that not even its beginning could be taken
                away again, so that nothing may follow.
        """
        try:
            _write_all(self._file, frame, self.end)
            os.fsync(self._file)
        except BaseException:
            self.broken = True
            self._cut()
            self.broken = False
            raise
        self.end += len(frame)

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _cut(self) -> None:
        os.ftruncate(self._file, self.end)
        os.fsync(self._file)


def _write_all(file: int, data: bytes, at: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(file, view, at)
        view, at = view[written:], at + written
