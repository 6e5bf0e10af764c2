"""The only way into a ledger: checked, buffered, durable, append-only.

Once they are in, rows are moved between files (`upkeep`) or dropped (`retention`) by who holds the
writer.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import pyarrow as pa
import pyarrow.compute as pc

from tree6g.errors import LedgerError
from tree6g.ledger import batch, overlap, parts, reading, schema
from tree6g.ledger import meta as header
from tree6g.ledger.meta import Meta

ROWS_PER_PART: Final = 500_000
# A writer that only finds energy rows of this much time before the last ones in the ledger has to
# read no more than those.
ANY_AGE: Final = math.inf
# Fields of a header that may differ between the header on disk and that of a resumed writer: what
# is learnt while writing, and who writes.
_FREE: Final = ("control", "sources", "notes", "merged", "producer", "created")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """Rows that were checked against the rules and against the ledger; `LedgerWriter.hold` them.

    Attributes:
        tables: Rows by table.
        claims: What their energy claims.
    """

    tables: Mapping[str, pa.Table]
    claims: overlap.Wanted


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

    Who keeps rows elsewhere until they are flushed (a journal) takes three steps instead of
    `append`: `admit`, keep, `hold`; and flushes under a number of its own, which may be done again
    after a failure or a crash: the same parts are then written over themselves. A ledger with such
    a journal opens for its owner alone.

    The same calls with the same values write the same bytes.
    """

    def __init__(
        self,
        path: Path,
        meta: Meta,
        *,
        rows_per_part: int = ROWS_PER_PART,
        late_s: float = ANY_AGE,
        journal: bool = False,
    ) -> None:
        """Open the ledger at `path`, creating it if there is none.

        Args:
            path: Folder of the ledger.
            meta: Its header.
            rows_per_part: Rows that a part holds at most, and the buffer of a table.
            late_s: How long before the last end of energy in the ledger, as it is found, new
                energy may begin. Earlier energy is refused, so the claims of the ledger's older
                parts need not be read; with infinity all are.
            journal: The caller owns the ledger's journal.

        Raises:
            LedgerError: Another writer has it open, the folder holds something else, or the
                header there differs from `meta` (change it by `update_meta`).
        """
        self.path = Path(path)
        self._rows_per_part = rows_per_part
        self._late_s = late_s
        self._journal = journal
        self._buffer: dict[str, list[pa.Table]] = {}
        self._buffered = dict.fromkeys(schema.TABLES, 0)
        self._failed = False
        with parts.disk_errors(self.path, "open for writing"):
            is_found = self.path.is_dir()
            parts.make_folder(self.path)
            self._lock = parts.lock(self.path)
        try:
            with parts.disk_errors(self.path, "open for writing"):
                if is_found:
                    parts.sync_names(self.path)
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
        self.hold(self.admit({table: columns}))
        if self._buffered[table] >= self._rows_per_part:
            self.flush()

    def admit(self, rows: Mapping[str, Mapping[str, batch.Column]]) -> Admitted:
        """Check rows of any tables; nothing is buffered or claimed before `hold`.

        Raises:
            LedgerError: As `append`, for all tables at once.
        """
        self._check_open()
        tables, wrong = {}, []
        for table, columns in rows.items():
            try:
                data = batch.to_table(table, columns)
            except LedgerError as error:
                wrong.append(str(error))
                continue
            if data.num_rows:
                tables[table] = data
        if wrong:
            raise LedgerError("\n".join(wrong))
        claims: overlap.Wanted = []
        if "energy" in tables:
            self._require_young(tables["energy"])
            claims = self._claims.checked(tables["energy"])
        return Admitted(tables=tables, claims=claims)

    def hold(self, rows: Admitted) -> None:
        """Put rows that were just admitted into the buffer."""
        self._check_open()
        if rows.claims:
            self._claims.take(rows.claims)
        self._put(rows.tables)

    def hold_again(self, tables: Mapping[str, pa.Table]) -> None:
        """Put rows into the buffer that an earlier writer of this ledger held and did not flush."""
        self._check_open()
        if "energy" in tables:
            self._claims.clashes(tables["energy"])
        self._put(tables)

    def _put(self, tables: Mapping[str, pa.Table]) -> None:
        for table, data in tables.items():
            self._buffer.setdefault(table, []).append(data)
            self._buffered[table] += data.num_rows

    def flush(self, *, number: int | None = None) -> None:
        """Write all buffered rows; when it returns, every appended row survives a crash.

        Args:
            number: Number of the parts, one for each table with rows, for who may have to do the
                same flush again: parts of that number are replaced. Without it each table's
                parts get the next numbers.

        Raises:
            LedgerError: The disk refuses. Without a number the writer is then of no further use:
                close it, and open another to go on from what the ledger holds. With one the rows
                stay buffered; flush them again under the same number and add none before.
        """
        self._check_open()
        staged: list[Path] = []
        try:
            with parts.disk_errors(self.path, "write"):
                for table in (t for t in schema.TABLES if t in self._buffer):
                    staged += self._stage(table, number)
                parts.publish(staged)
        except BaseException:
            self._failed = number is None
            parts.discard(staged)
            raise
        self.drop()

    def drop(self) -> None:
        """Forget the buffered rows, because they are in the ledger or kept elsewhere."""
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

    @property
    def since_s(self) -> float:
        """Energy rows that begin before this are refused (`late_s`)."""
        return self._held[1]

    @property
    def _claims(self) -> overlap.Claims:
        return self._held[0]

    @functools.cached_property
    def _held(self) -> tuple[overlap.Claims, float]:
        """Claims of the energy that the ledger holds and new rows may touch, and since when."""
        with parts.disk_errors(self.path, "read"):
            known = parts.list_parts(self.path, "energy")
            ends = {path: reading.stated(path, "energy").end_s for path in known}
        since_s = max(ends.values(), default=math.inf) - self._late_s
        young = [path for path, end_s in ends.items() if end_s > since_s]
        claims = overlap.Claims()
        for path in young:
            for rows in reading.part_batches(path, "energy", overlap.COLUMNS):
                claims.clashes(pa.Table.from_batches([rows]))
        return claims, since_s if len(young) < len(ends) else -math.inf

    def _require_young(self, energy: pa.Table) -> None:
        first_s = pc.min(energy.column("t0_s")).as_py()
        if first_s < self.since_s:
            raise LedgerError(
                f"expected energy that begins at {self.since_s!r} s or later, {self._late_s:g} s "
                f"before the end of that in {self.path}; got {first_s!r} s. Write older rows to a "
                "ledger of their own and merge the two, or open the writer with a longer `late_s`."
            )

    def _adopt(self, meta: Meta) -> None:
        for path in parts.list_stale(self.path):
            path.unlink()
        if (self.path / parts.JOURNAL).exists() and not self._journal:
            raise LedgerError(
                f"expected a ledger without a journal; {self.path} has one ({parts.JOURNAL}), so a "
                "meter alone writes it. Write a ledger of your own and merge the two."
            )
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

    def _stage(self, table: str, number: int | None) -> list[Path]:
        """Write the buffered rows of a table under temporary names."""
        data = pa.concat_tables(self._buffer[table]).unify_dictionaries()
        if not (self.path / table).exists():
            parts.make_folder(self.path / table)
        if number is not None:
            path = parts.part_path(self.path, table, number)
            parts.prepare(path, functools.partial(parts.write_parquet, data.combine_chunks()))
            return [path]
        number = parts.last_number(self.path, table)
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
