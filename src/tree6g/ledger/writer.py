"""The only way into a ledger: checked, buffered, durable, append-only."""

from __future__ import annotations

import dataclasses
import functools
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import pyarrow as pa

from tree6g.errors import LedgerError
from tree6g.ledger import batch, overlap, parts, reading, schema
from tree6g.ledger import meta as header
from tree6g.ledger.meta import Meta

ROWS_PER_PART: Final = 500_000
# Fields of a header that may differ between the header on disk and that of a resumed writer: what
# is learnt while writing, and who writes.
_FREE: Final = ("control", "sources", "notes", "merged", "producer", "created")


class LedgerWriter:
    """Appends rows to a ledger, a new one or an existing one with an equal header.

    `append` checks and buffers, `flush` makes durable: a row is acknowledged once a `flush` that
    follows its `append` has returned. What a crash leaves:

    - every part is whole or absent, and every acknowledged row is there;
    - of the flush that was interrupted each table has the first of its parts, maybe none: all
      parts are written and synced before the first is given its name, then tables follow in the
      order of `schema.TABLES`, so some tables may have rows of a moment that others lack. None of
      these rows was acknowledged;
    - temporary files, which readers ignore and the next writer removes.

    A buffer that reaches `rows_per_part` rows is flushed by `append`. As a context manager the
    writer flushes and closes at the end of the block; if the block fails, rows after the last
    flush are dropped. One writer at a time: the ledger is locked until `close`.

    The same calls with the same values write the same bytes.
    """

    def __init__(self, path: Path, meta: Meta, *, rows_per_part: int = ROWS_PER_PART) -> None:
        """Open the ledger at `path`, creating it if there is none.

        Raises:
            LedgerError: Another writer has it open, the folder holds something else, or the
                header there differs from `meta` (change it by `update_meta`).
        """
        self.path = Path(path)
        self._rows_per_part = rows_per_part
        self._buffer: dict[str, list[pa.Table]] = {}
        self._buffered = dict.fromkeys(schema.TABLES, 0)
        self._failed = False
        with parts.disk_errors(self.path, "open for writing"):
            parts.make_folder(self.path)
            self._lock = parts.lock(self.path)
        try:
            with parts.disk_errors(self.path, "open for writing"):
                self._adopt(meta)
        except BaseException:
            self._lock.close()
            raise

    def append(self, table: str, columns: Mapping[str, batch.Column]) -> None:
        """Check rows and put them into the buffer, all of them or, if one is wrong, none.

        Args:
            table: A table of the ledger.
            columns: Values by column: sequences, NumPy or Arrow arrays of one length; scalars
                broadcast; optional columns may be absent or hold None (unknown).

        Raises:
            LedgerError: Faults by column and row (`batch.SHOWN` of them at most), or energy that
                clashes with another source's.
        """
        self._check_open()
        data = batch.to_table(table, columns)
        if data.num_rows == 0:
            return
        if table == "energy":
            self._claims.add(data)
        self._buffer.setdefault(table, []).append(data)
        self._buffered[table] += data.num_rows
        if self._buffered[table] >= self._rows_per_part:
            self.flush()

    def flush(self) -> None:
        """Write all buffered rows; when it returns, every appended row survives a crash.

        Raises:
            LedgerError: The disk refuses. The writer is then of no further use: close it, and
                open another to go on from what the ledger holds.
        """
        self._check_open()
        staged: list[Path] = []
        try:
            with parts.disk_errors(self.path, "write"):
                for table in (t for t in schema.TABLES if t in self._buffer):
                    staged += self._stage(table)
                parts.publish(staged)
        except BaseException:
            self._failed = True
            parts.discard(staged)
            raise
        self._buffer.clear()
        self._buffered = dict.fromkeys(schema.TABLES, 0)

    def update_meta(self, meta: Meta) -> None:
        """Replace the header durably: after a crash it is the old or the new one."""
        self._check_open()
        with parts.disk_errors(self.path, "write the header of"):
            parts.replace_text(self.path / header.FILE, header.dump(meta))

    def close(self) -> None:
        """Flush and unlock; closing twice is closing once."""
        if self._lock.closed:
            return
        try:
            if not self._failed:
                self.flush()
        finally:
            self._lock.close()

    def __enter__(self) -> Self:
        """The writer itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close; after an error in the block drop what was not flushed."""
        if kind is not None:
            self._failed = True
        self.close()

    @functools.cached_property
    def _claims(self) -> overlap.Claims:
        """Claims of the energy rows that the ledger already holds."""
        claims = overlap.Claims()
        for rows in reading.open_ledger(self.path).batches("energy"):
            claims.clashes(pa.Table.from_batches([rows]))
        return claims

    def _adopt(self, meta: Meta) -> None:
        for path in parts.list_stale(self.path):
            path.unlink()
        if (self.path / header.FILE).exists():
            _require_equal(reading.read_meta(self.path), meta, self.path)
            return
        alien = sorted(p.name for p in self.path.iterdir() if p.name != parts.LOCK)
        if alien:
            raise LedgerError(
                f"expected a ledger or an empty folder at {self.path}; got '{alien[0]}' and no "
                f"{header.FILE}. Choose another folder."
            )
        parts.replace_text(self.path / header.FILE, header.dump(meta))

    def _stage(self, table: str) -> list[Path]:
        """Write the buffered rows of a table under temporary names."""
        data = pa.concat_tables(self._buffer[table]).unify_dictionaries()
        if not (self.path / table).exists():
            parts.make_folder(self.path / table)
        known = parts.list_parts(self.path, table)
        number = parts.part_number(known[-1]) if known else 0
        staged = []
        for start in range(0, data.num_rows, self._rows_per_part):
            rows = data.slice(start, self._rows_per_part).combine_chunks()
            number += 1
            staged.append(parts.part_path(self.path, table, number))
            parts.prepare(staged[-1], functools.partial(parts.write_parquet, rows))
        return staged

    def _check_open(self) -> None:
        if self._lock.closed or self._failed:
            state = "closed" if self._lock.closed else "unusable after an error"
            raise LedgerError(f"the writer of {self.path} is {state}. Open another one.")


@contextmanager
def new_ledger(path: Path, meta: Meta) -> Iterator[LedgerWriter]:
    """Write a new ledger as a whole: it appears at `path` when the block ends, or not at all.

    Raises:
        LedgerError: There is something at `path` already.
    """
    path = Path(path)
    staging = path.with_name(f".{path.name}.{os.getpid()}{parts.TEMPORARY}")
    with parts.disk_errors(path, "write"):
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise LedgerError(f"expected no file or an empty folder at {path}. Choose another.")
        shutil.rmtree(staging, ignore_errors=True)
    try:
        with LedgerWriter(staging, meta) as writer:
            yield writer
        with parts.disk_errors(path, "write"):
            staging.replace(path)
            parts.sync_folder(path.parent)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _require_equal(there: Meta, given: Meta, path: Path) -> None:
    for field in dataclasses.fields(Meta):
        old, new = (_plain(getattr(m, field.name)) for m in (there, given))
        if field.name not in _FREE and old != new:
            raise LedgerError(
                f"expected the header that {path} has; got another '{field.name}': {new!r} instead "
                f"of {old!r}. Open it with its own header (`open_ledger(path).meta`) and change "
                "it by `update_meta`, or write to a new folder."
            )


def _plain(value: Any) -> Any:
    """As the value comes back from JSON: lists for tuples."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list | tuple) else value
