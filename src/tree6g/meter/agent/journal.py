"""Rows of a ledger and the state they came from, durable together and in the ledger once.

A meter turns counters into rows: what it last read of each target is its state. If rows were kept
without the state, a crash would count them again; a state without its rows would lose them. So both
are one record of a journal. Records become part-files of the ledger, segment by segment.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import IO, Final, Self

import pyarrow as pa

from tree6g.errors import LedgerError
from tree6g.ledger import batch, control, parts, reading, schema
from tree6g.ledger.meta import Meta
from tree6g.ledger.retention import Retention
from tree6g.ledger.upkeep import SPAN_S, Limits, Upkeep
from tree6g.ledger.writer import LedgerWriter
from tree6g.meter.agent import segment

LATE_S: Final = 21_600.0
# State of joules by node [sum, lost to rounding] that the owner counts beside the rows: it goes
# into the header at each flush, for `check`.
CONTROL: Final = "/control"
# A segment is moved into the ledger when it holds this much, asked or not: it bounds memory.
ROWS_PER_SEGMENT: Final = 120_000
BYTES_PER_SEGMENT: Final = 64 << 20
_SEGMENT: Final = re.compile(r"segment-(\d{6,})\.log")

Rows = Mapping[str, Mapping[str, batch.Column]]


class Journal:
    """A ledger that is written record by record, each durable when `record` returns.

    What a crash leaves, whatever its moment, even of power: every record whose `record` returned,
    and at most the whole of the one in flight; `state` of the next Journal is that of the last of
    these records. Every row comes into the ledger once.

    How: segment n begins with the state, records follow, and `flush` writes its rows into the
    parts number n of their tables (over themselves, if a crash made that necessary a second time),
    then creates segment n+1 with the state, then removes segment n. A segment of which some part
    is in the ledger takes no more records; one that has a successor is done with.

    One Journal at a time holds a ledger, and no other writer may.
    """

    def __init__(
        self,
        folder: Path,
        meta: Meta,
        *,
        late_s: float = LATE_S,
        keep_s: float = math.inf,
        limit_byte: float = math.inf,
        limits: Limits | None = None,
    ) -> None:
        """Open the ledger in `folder`, creating it if there is none, and recover its journal.

        Args:
            folder: Folder of the ledger.
            meta: Its header.
            late_s: How long before the last energy of the ledger, as it is found here, new energy
                may begin; earlier rows are refused. Reading stays within that time.
            keep_s: Time that `tidy` keeps at least, see `Retention`.
            limit_byte: Size of the ledger that `tidy` keeps to, see `Retention`.
            limits: Sizes of parts, see `Upkeep`; None merges over a thirtieth of `keep_s`.

        Raises:
            LedgerError: As `LedgerWriter`, or a damaged journal, or bounds that are none.
        """
        self.path = Path(folder)
        self._folder = self.path / parts.JOURNAL
        self._state: dict[str, bytes] = {}
        self._appender: segment.Appender | None = None
        self._number = self._waiting = 0
        self._sealed = False
        self._sure = True
        self._writer = LedgerWriter(self.path, meta, late_s=late_s, journal=True)
        try:
            limits = limits or Limits(span_s=min(SPAN_S, keep_s / 30))
            self._upkeep = Upkeep(self._writer, limits)
            self._retention = Retention(
                self._writer, self._upkeep, keep_s=keep_s, limit_byte=limit_byte
            )
            with parts.disk_errors(self._folder, "open"):
                self._recover()
        except BaseException:
            self._release()
            raise

    @property
    def state(self) -> Mapping[str, bytes]:
        """The states of the last record that is durable, by key."""
        return MappingProxyType(self._state)

    @property
    def usable(self) -> bool:
        """Whether it can go on; if not, close it and open another, whose `state` is to be used."""
        return self._appender is not None and self._sure

    @property
    def since_s(self) -> float:
        """Energy rows that begin before this are refused."""
        return self._writer.since_s

    def refusal(self, rows: Rows) -> str:
        """Why the ledger does not take rows, whatever the disk does; empty: it takes them."""
        self._require_open()
        try:
            self._writer.admit(rows)
        except LedgerError as error:
            return str(error)
        return ""

    def record(self, rows: Rows, state: Mapping[str, bytes | None]) -> None:
        """Make rows and the states that they lead to durable, all of them or none.

        Args:
            rows: Columns by table, as `LedgerWriter.append` takes them.
            state: New states by key: other keys keep theirs, None removes one.

        Raises:
            LedgerError: Rows are wrong or clash, or the disk refuses. Rows and states are then
                those of before; the next record may cover the longer time.
        """
        self._require_open()
        admitted = self._writer.admit(rows)
        new = {k: v for k, v in state.items() if self._state.get(k) != v}
        if not admitted.tables and not new:
            return
        if self._sealed or self._is_full():
            self.flush()
        frame = segment.encode(segment.Record(tables=admitted.tables, state=new))
        appender = self._open()
        # What interrupts here leaves it open whether the record is durable.
        self._sure = False
        try:
            with parts.disk_errors(self._segment(self._number), "write"):
                appender.add(frame)
        except LedgerError:
            self._sure = not appender.broken
            raise
        self._writer.hold(admitted)
        self._count(admitted.tables)
        self._learn(new)
        self._sure = True

    def flush(self) -> None:
        """Move the recorded rows into part-files of the ledger.

        Raises:
            LedgerError: The disk refuses. Nothing is lost: the next flush does it again.
        """
        self._require_open()
        if not (self._waiting or self._sealed or self._is_full()):
            return
        # Part of it may be in the ledger from now on, until the next segment begins.
        self._sealed = True
        try:
            self._writer.flush(number=self._number)
        except LedgerError:
            self._sealed = self._is_in_ledger()
            raise
        self._count_up()
        with parts.disk_errors(self._folder, "write"):
            self._begin(self._number + 1)

    def tidy(self, now_s: float) -> None:
        """Merge small parts, drop what is too old or too much, delete what nobody reads any more.

        One bounded step of each; call it after a flush. Readers may go on meanwhile.

        Args:
            now_s: Now in the time of the ledger.

        Raises:
            LedgerError: The disk refuses, or a part cannot be read. No row is lost, and the next
                call goes on.
        """
        self._require_open()
        self._upkeep.sweep()
        self._retention.retain(now_s, below=self._number)
        self._upkeep.merge(below=self._number)

    def update_meta(self, meta: Meta) -> None:
        """Replace the header of the ledger durably."""
        self._writer.update_meta(meta)

    def close(self) -> None:
        """Flush and unlock; closing twice is closing once.

        Raises:
            LedgerError: The disk refuses the flush. The ledger is unlocked all the same, and the
                next Journal goes on from the records.
        """
        if self._appender is None:
            return
        try:
            if self._sure:
                self.flush()
        finally:
            self._release()

    def __enter__(self) -> Self:
        """The journal itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close; after an error in the block leave the rows in the journal."""
        if kind is None:
            self.close()
        else:
            self._release()

    def _recover(self) -> None:
        parts.make_folder(self._folder)
        for stale in self._folder.glob(f"*{parts.TEMPORARY}"):
            stale.unlink()
        numbers = sorted(self._numbers())
        self._number = numbers[-1] if numbers else 0
        end = self._read(self._segment(self._number)) if numbers else 0
        if not self._waiting:
            # Without rows its number is still free to choose, and others may have written parts.
            last = self._last_part()
            if not numbers or last >= self._number:
                self._begin(max(last, self._number) + 1)
                return
        self._sealed = self._is_in_ledger()
        self._appender = segment.Appender(self._segment(self._number), end)
        self._remove_before(self._number)

    def _read(self, path: Path) -> int:
        """Take over the records of a segment; where the last whole one ends."""
        end = len(segment.HEAD)
        for record, end in segment.records(path.read_bytes(), path):  # noqa: B007
            self._writer.hold_again(record.tables)
            self._count(record.tables)
            self._learn(record.state)
        return end

    def _begin(self, number: int) -> None:
        """Start a segment with the state, and remove those before it."""
        path = self._segment(number)
        first = segment.encode(segment.Record(tables={}, state=self._state))

        def write(target: IO[bytes]) -> None:
            """The head and the state."""
            target.write(segment.HEAD)
            target.write(first)

        try:
            parts.prepare(path, write)
        except BaseException:
            parts.discard([path])
            raise
        parts.publish([path])
        old = self._appender
        self._appender = segment.Appender(path, len(segment.HEAD) + len(first))
        self._number, self._sealed, self._waiting = number, False, 0
        if old is not None:
            old.close()
        self._remove_before(number)

    def _remove_before(self, number: int) -> None:
        """Remove segments whose rows are in the ledger."""
        old = [n for n in self._numbers() if n < number]
        for n in old:
            self._segment(n).unlink()
        if old:
            parts.sync_folder(self._folder)

    def _segment(self, number: int) -> Path:
        return self._folder / f"segment-{number:06d}.log"

    def _numbers(self) -> Iterator[int]:
        matches = (_SEGMENT.fullmatch(path.name) for path in self._folder.iterdir())
        return (int(found[1]) for found in matches if found)

    def _count_up(self) -> None:
        """The owner's totals into the header; done again, it is done once."""
        raw = self._state.get(CONTROL)
        if raw is None:
            return
        energy_j = {node: total + lost for node, (total, lost) in json.loads(raw).items()}
        old = reading.read_meta(self.path)
        new = control.counted(old, energy_j, self._number)
        if new != old:
            self._writer.update_meta(new)

    def _is_in_ledger(self) -> bool:
        """Whether some part of the segment has its name already."""
        return self._last_part() >= self._number

    def _last_part(self) -> int:
        return max(parts.last_number(self.path, table) for table in schema.TABLES)

    def _is_full(self) -> bool:
        return self._waiting >= ROWS_PER_SEGMENT or self._open().end >= BYTES_PER_SEGMENT

    def _count(self, tables: Mapping[str, pa.Table]) -> None:
        self._waiting += sum(data.num_rows for data in tables.values())

    def _learn(self, state: Mapping[str, bytes | None]) -> None:
        for key, value in state.items():
            if value is None:
                self._state.pop(key, None)
            else:
                self._state[key] = value

    def _open(self) -> segment.Appender:
        if self._appender is None:
            raise LedgerError(f"the journal of {self.path} is closed. Open another one.")
        return self._appender

    def _require_open(self) -> None:
        self._open()
        if not self._sure:
            raise LedgerError(
                f"the journal of {self.path} cannot tell whether its last record is durable, and "
                "could not take it back. Close it, see to the disk, and open another, whose "
                "`state` is the one to go on from."
            )

    def _release(self) -> None:
        if self._appender is not None:
            self._appender.close()
            self._appender = None
        self._writer.drop()
        self._writer.close()
