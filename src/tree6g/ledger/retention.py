"""A ledger that grows for ever and keeps its newest time: what is older is dropped, and said.

Time is cut off, not rows: no statement of coverage reaches before the cut, so that no figure takes
what is gone for nothing. In this order, each step durable before the next:

1. the header notes the cut;
2. coverage is cut: statements that ended before are dropped, those that reach over it begin there;
3. a time of grace later, when no reader holds the old coverage, the parts of the other tables whose
   rows all ended before the cut are dropped, after their joules are taken off the totals of the
   header, see `control`. `entity` and `service` stay.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from tree6g.errors import LedgerError
from tree6g.ledger import control, parts, reading, schema
from tree6g.ledger.meta import Meta
from tree6g.ledger.upkeep import Part, Upkeep
from tree6g.ledger.writer import LedgerWriter

NOTE: Final = "Rows that ended before "
# Tables whose rows have an end; of coverage whatever lies before the cut goes.
DROPPED: Final = ("energy", "work", "request", "latency", "throughput", "prb", "impact")
# The cut moves in steps of this share of what is kept, and leaves this share of the disk free.
STEP_FRAC: Final = 0.01
FREE_FRAC: Final = 0.1


class Retention:
    """Keeps a ledger within a time and a size; one per writer."""

    def __init__(
        self,
        writer: LedgerWriter,
        files: Upkeep,
        *,
        keep_s: float = math.inf,
        limit_byte: float = math.inf,
    ) -> None:
        """Keep the ledger that a writer holds within bounds.

        Args:
            writer: The writer.
            files: Who looks after its files.
            keep_s: Time before now that is kept at least; what is dropped ended before.
            limit_byte: Size of the parts that readers see. Covered files that wait for their time
                of grace and the flush in hand come on top.

        Raises:
            LedgerError: A bound is not positive.
        """
        for name, value, unit in (("keep_s", keep_s, "s"), ("limit_byte", limit_byte, "byte")):
            if not value > 0:
                raise LedgerError(f"{name} must be > 0 {unit}; got {value!r} {unit}.")
        self._writer = writer
        self._keep_s, self._limit_byte = keep_s, limit_byte
        self._files = files
        meta = reading.read_meta(writer.path)
        self._cut_s = _cut_of(meta)
        self._going = control.dropping(meta)  # if a crash came in between
        self._since_s = math.inf

    def retain(self, now_s: float, *, below: int | None = None) -> float:
        """Take one step if there is one to take; call it now and then.

        Args:
            now_s: Now in the time of the ledger. It is believed: a writer whose clock may be wrong
                gives the time that has passed, as the meter does, see `meter.agent.age`.
            below: Number of a flush that is not finished; parts from it on are left alone.

        Returns:
            The time before which coverage is cut, minus infinity if none is.

        Raises:
            LedgerError: The disk refuses, or the header has control totals that rows which are
                dropped would break.
        """
        if self._going:
            for part in self._files.parts("energy"):
                if part.path.name in self._going:
                    self._mark_dropped("energy", part)
            self._going = frozenset()
        if self._files.clock() - self._since_s >= self._files.limits.grace_s:
            self._drop(below)
            self._since_s = math.inf
        if self._since_s == math.inf:
            cut_s = max(self._cut_s, self._by_age(now_s), self._by_size(below))
            if any(part.end_s <= cut_s for _, part in self._droppable(below)):
                self._cut(cut_s, below)
        return self._cut_s

    def _by_age(self, now_s: float) -> float:
        if self._keep_s == math.inf:
            return -math.inf
        step_s = STEP_FRAC * self._keep_s
        return math.floor((now_s - self._keep_s) / step_s) * step_s

    def _by_size(self, below: int | None) -> float:
        """The end of the last part that must go for the rest to fit."""
        if self._limit_byte == math.inf:
            return -math.inf
        paths = [part.path for table in schema.TABLES for part in self._files.parts(table)]
        with parts.disk_errors(self._files.path, "read"):
            size = {path: path.stat().st_size for path in paths}
        total, cut_s = sum(size.values()), -math.inf
        if total <= self._limit_byte:
            return cut_s
        for part in sorted((p for _, p in self._droppable(below)), key=lambda p: p.end_s):
            if total <= (1 - FREE_FRAC) * self._limit_byte:
                break
            total -= size[part.path]
            cut_s = part.end_s
        return cut_s

    def _droppable(self, below: int | None) -> Iterator[tuple[str, Part]]:
        for table in DROPPED:
            for part in self._files.parts(table, below=below):
                yield table, part

    def _cut(self, cut_s: float, below: int | None) -> None:
        meta = reading.read_meta(self._files.path)
        if meta.control and not control.is_own(meta):
            raise LedgerError(
                f"expected a ledger without control totals, or with those of a meter; "
                f"{self._files.path} has others, and dropping rows would break them. Keep all of "
                "it, or write a new ledger."
            )
        if cut_s > self._cut_s:
            self._writer.update_meta(_noted(meta, cut_s))
        for part in self._files.parts("coverage", below=below):
            if part.start_s < cut_s:
                self._cut_coverage(part, cut_s)
        self._cut_s, self._since_s = cut_s, self._files.clock()

    def _cut_coverage(self, part: Part, cut_s: float) -> None:
        if part.end_s <= cut_s:
            self._mark_dropped("coverage", part)
            return
        making = parts.making_of(part.path) + 1
        target = parts.merged_path(self._files.path, "coverage", part.flushes, making)
        pieces = (_after(rows, cut_s) for rows in reading.part_batches(part.path, "coverage"))
        self._files.write(target, "coverage", (rows for rows in pieces if rows.num_rows))

    def _drop(self, below: int | None) -> None:
        old = [(t, part) for t, part in self._droppable(below) if part.end_s <= self._cut_s]
        meta = reading.read_meta(self._files.path)
        going = [part.path for table, part in old if table == "energy"]
        if going and control.is_own(meta):
            self._writer.update_meta(control.without(meta, going))
        for table, part in old:
            self._mark_dropped(table, part)

    def _mark_dropped(self, table: str, part: Part) -> None:
        path = parts.dropped_path(self._files.path, table, part.flushes)
        with parts.disk_errors(path, "write"):
            parts.prepare(path, lambda _: None)
            parts.publish([path])


def _after(rows: pa.RecordBatch, cut_s: float) -> pa.Table:
    data = pa.Table.from_batches([rows]).filter(pc.field("t1_s") > cut_s)
    at = data.schema.get_field_index("t0_s")
    start = pc.max_element_wise(data.column(at), cut_s)
    return data.set_column(at, data.schema.field(at), start)


def _cut_of(meta: Meta) -> float:
    """The cut that the notes of a header tell, minus infinity without one."""
    cuts = (text.removeprefix(NOTE).split(" s")[0] for text in meta.notes if text.startswith(NOTE))
    return max((float(cut) for cut in cuts), default=-math.inf)


def _noted(meta: Meta, cut_s: float) -> Meta:
    """The header with the cut in its notes, once."""
    when = f"{cut_s!r} s"
    if meta.t_zero is not None:
        zero = datetime.fromisoformat(meta.t_zero)
        when += f" ({(zero + timedelta(seconds=cut_s)).isoformat(timespec='seconds')})"
    note = f"{NOTE}{when} were dropped; no figure can be taken of that time."
    others = (text for text in meta.notes if not text.startswith(NOTE))
    return dataclasses.replace(meta, notes=(*others, note))
