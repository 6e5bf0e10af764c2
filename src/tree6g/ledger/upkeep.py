"""Many small parts become a few large ones while the ledger grows and is read.

Rows stay what they are: they are put together and sorted by time, and none becomes coarser. Only
statements of coverage that touch and say the same are joined.

How it stays whole: the merged part gets its name when all of it is safe, and from that moment
covers the small ones, see `parts`. These are deleted later, when nobody reads them any more. A
crash leaves the one or the other.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tree6g.ledger import parts, reading, schema
from tree6g.ledger.overlap import TOUCH_ULP
from tree6g.ledger.writer import LedgerWriter

# Merged by so many at a time, a row is written again once for each factor of this.
FAN: Final = 24
ROWS: Final = 1_000_000
SPAN_S: Final = 86_400.0
GRACE_S: Final = 600.0
# Rows that are sorted and written at once: 122,880, a row group of the writer's, take 100 MB.
ROWS_PER_PIECE: Final = 30_000
_CLAIM: Final = ("source", "quantity", "status", "node", "reason")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When parts are merged, and how far.

    Attributes:
        fan: Parts of about a size that become one.
        rows: Rows that a merged part has at most.
        span_s: Time that a merged part reaches over at most; old parts are dropped whole.
        grace_s: How long covered files stay for readers that may have them open.
    """

    fan: int = FAN
    rows: int = ROWS
    span_s: float = SPAN_S
    grace_s: float = GRACE_S


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part-file by its name and footer."""

    path: Path
    flushes: tuple[int, int]
    rows: int
    start_s: float
    end_s: float

    @property
    def span_s(self) -> float:
        """Time from the first start to the last end; 0 for a table without times."""
        return max(self.end_s - self.start_s, 0.0)

    def level(self, fan: int) -> int:
        """How many mergings made it, judged by its width in flushes."""
        level, width = 0, self.flushes[1] - self.flushes[0] + 1
        while width >= fan:
            level, width = level + 1, width // fan
        return level


class Upkeep:
    """Looks after the files of a ledger for who writes it.

    Its calls may take a while (a merge of a million rows about a second) and a bounded amount of
    memory (50 MB, for pieces of `ROWS_PER_PIECE` rows and what Parquet takes to write them).
    """

    def __init__(
        self,
        writer: LedgerWriter,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take care of the ledger whose lock a writer holds.

        Args:
            writer: The writer.
            limits: Sizes and times.
            clock: Seconds that pass, from any zero.
        """
        self.path = writer.path
        self.limits = limits or Limits()
        self.clock = clock
        self._known: dict[Path, Part] = {}
        self._covered_s: dict[Path, float] = {}

    def parts(self, table: str, *, below: int | None = None) -> list[Part]:
        """Parts of a table in order; those of flushes from `below` on are left out."""
        with parts.disk_errors(self.path, "read"):
            paths = parts.list_parts(self.path, table)
        known = {path: self._known.get(path) or _part(path, table) for path in paths}
        self._known = {p: k for p, k in self._known.items() if p.parent.name != table} | known
        return [p for p in known.values() if below is None or p.flushes[1] < below]

    def merge(self, *, below: int | None = None) -> int:
        """Merge one group of each table that has enough parts for it.

        Args:
            below: Number of a flush that is not finished; parts from it on are left alone.

        Returns:
            Number of parts that were merged.

        Raises:
            LedgerError: The disk refuses, or a part cannot be read; the parts stay as they are.
        """
        merged = 0
        for table in schema.TABLES:
            group = chosen(self.parts(table, below=below), self.limits)
            if group:
                flushes = group[0].flushes[0], group[-1].flushes[1]
                target = parts.merged_path(self.path, table, flushes)
                self.write(target, table, _together(group, table))
                merged += len(group)
        return merged

    def write(self, target: Path, table: str, groups: Iterable[pa.Table]) -> None:
        """Write a part from pieces of rows, whole or not at all."""
        columns = schema.columns_of(table)
        with parts.disk_errors(target, "write"):
            try:
                write = functools.partial(parts.write_groups, groups, columns)
                parts.prepare(target, write)
            except BaseException:
                parts.discard([target])
                raise
            parts.publish([target])

    def sweep(self) -> int:
        """Delete files that have been covered for the time of grace; how many."""
        now_s, gone = self.clock(), 0
        seen: dict[Path, float] = {}
        with parts.disk_errors(self.path, "clear"):
            for table in schema.TABLES:
                covered = parts.list_covered(self.path, table)
                seen |= {path: self._covered_s.get(path, now_s) for path in covered}
                old = [path for path in covered if now_s - seen[path] >= self.limits.grace_s]
                for path in old:
                    path.unlink()
                    del seen[path]
                if old:
                    parts.sync_folder(self.path / table)
                gone += len(old)
        self._covered_s = seen
        return gone


def chosen(found: Sequence[Part], limits: Limits) -> Sequence[Part]:
    """The oldest neighbours of the lowest level that are enough to be merged; empty if none are.

    A level is merged when a run of parts of it and of lower ones has `fan` of it, so that each
    level has fewer parts than that, and a row is rewritten about once per level.
    """
    levels = {part.path: part.level(limits.fan) for part in found}
    for level in range(max(levels.values(), default=-1) + 1):
        for run in _runs(found, limits, levels, level):
            group = _fitting(run, limits)
            if group:
                return group
    return ()


def joined(data: pa.Table) -> pa.Table:
    """Statements of coverage with those that touch and say the same as one."""
    if data.num_rows < 2:
        return data
    data = data.unify_dictionaries().combine_chunks()
    # Not `to_numpy`, which loads pandas if that is installed: more memory than all of a meter.
    times = [np.from_dlpack(data.column(name).chunk(0)) for name in ("t0_s", "t1_s")]
    start, end = (column.astype(np.float64, copy=False) for column in times)
    code = np.zeros(data.num_rows, np.int64)
    for name in _CLAIM:
        text = data.column(name).chunk(0).dictionary_decode()
        words = np.from_dlpack(text.dictionary_encode("encode").indices).astype(np.int64)
        code = np.unique(code * (words.max() + 1) + words, return_inverse=True)[1]
    order = np.lexsort((start, code))
    begin, stop, what = start[order], end[order], code[order]
    same = what[1:] == what[:-1]
    # Overlapping statements stay as they are: only what meets is one.
    meets = np.abs(begin[1:] - stop[:-1]) <= TOUCH_ULP * np.spacing(np.abs(begin[1:]))
    first = np.append(True, ~(same & meets))
    last = np.append(first[1:], True)
    kept = data.take(_array(order[first], pa.int64()))
    at = kept.schema.get_field_index("t1_s")
    return kept.set_column(at, kept.schema.field(at), _array(stop[last], pa.float64()))


def _array(values: np.ndarray, kind: pa.DataType) -> pa.Array:
    """As `pa.array`, which loads pandas too."""
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(values)])


def _part(path: Path, table: str) -> Part:
    flushes = parts.flushes_of(path)
    told = reading.stated(path, table)
    return Part(path=path, flushes=flushes, rows=told.rows, start_s=told.start_s, end_s=told.end_s)


def _runs(
    found: Sequence[Part], limits: Limits, levels: dict[Path, int], level: int
) -> Iterator[list[Part]]:
    """Neighbours up to a level that begin anywhere, end with that level and have enough of it."""

    def is_low(part: Part) -> bool:
        """Whether it may still be merged at this level."""
        full = 2 * part.rows > limits.rows or 2 * part.span_s > limits.span_s
        return levels[part.path] <= level and not full

    for low, neighbours in itertools.groupby(found, key=is_low):
        run = list(neighbours)
        while run and levels[run[-1].path] < level:
            run.pop()
        if low and sum(levels[part.path] == level for part in run) >= limits.fan:
            yield run


def _fitting(run: Sequence[Part], limits: Limits) -> list[Part]:
    """The first neighbours of a run that one part may hold, at least two; empty if none may."""
    group: list[Part] = []
    for part in run:
        rows = sum(p.rows for p in group) + part.rows
        start_s = min((p.start_s for p in [*group, part]), default=math.inf)
        end_s = max(p.end_s for p in [*group, part])
        if group and (rows > limits.rows or end_s - start_s > limits.span_s):
            if len(group) > 1:
                return group
            group = []
        group.append(part)
    return group if len(group) > 1 else []


def _together(group: Sequence[Part], table: str) -> Iterator[pa.Table]:
    """Rows of neighbours in pieces, each sorted by time."""
    waiting: list[pa.RecordBatch] = []
    for part in group:
        for rows in reading.part_batches(part.path, table, lean=True):
            waiting.append(rows)
            if sum(r.num_rows for r in waiting) >= ROWS_PER_PIECE:
                yield _sorted(waiting, table)
                waiting = []
    if waiting:
        yield _sorted(waiting, table)


def _sorted(batches: list[pa.RecordBatch], table: str) -> pa.Table:
    data = pa.Table.from_batches(batches, schema.columns_of(table)).unify_dictionaries()
    if table == "coverage":
        data = joined(data)
    times = [name for name in ("t0_s", "arrival_s") if name in data.column_names]
    if times:
        data = data.take(pc.sort_indices(data, sort_keys=[(times[0], "ascending")]))
    return data.combine_chunks()
