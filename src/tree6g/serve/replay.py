"""A recorded ledger played back: written anew as it happened, for whoever follows a ledger.

A thread appends to a ledger in a temporary folder what the recorded one holds up to the moment that
is played, so that everything downstream is what follows a running meter. A row is written when its
interval is over. What a source covered is written up to the start of its first row that is not yet
over, as a meter would know it.
"""

from __future__ import annotations

import dataclasses
import math
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pyarrow as pa

from tree6g.errors import LedgerError
from tree6g.ledger.meta import Meta
from tree6g.ledger.reading import Ledger, open_ledger, sql_errors
from tree6g.ledger.writer import LedgerWriter
from tree6g.serve.extent import extent, part_spans

TICK_S: Final = 1.0
BEGIN_FRAC: Final = 0.25
# When a row of each table is known.
_KNOWN_AT: Final = {
    "energy": "t1_s", "work": "t1_s", "latency": "t1_s", "throughput": "t1_s", "prb": "t1_s",
    "impact": "t1_s", "request": "arrival_s + coalesce(e2e_s, 0)",
}  # fmt: skip


class Player:
    """Plays a recorded ledger into a new one."""

    def __init__(
        self, recorded: Ledger, target: Path, *, speed: float, begin_s: float | None
    ) -> None:
        """Prepare to play.

        Raises:
            LedgerError: A speed that is not positive, or nothing to play.
        """
        if not 0 < speed < math.inf:
            raise LedgerError(f"expected a speed > 0; got {speed}. 1 is as it happened.")
        span = extent(recorded, part_spans(recorded, {}))
        if span is None:
            raise LedgerError(f"expected rows to play in {recorded.path}; got an empty ledger.")
        self.start_s, self.end_s = span
        length_s = self.end_s - self.start_s
        self.begin_s = self.start_s + (BEGIN_FRAC * length_s if begin_s is None else begin_s)
        self._recorded, self._speed = recorded, speed
        self._connection = recorded.connect()
        self._covered_s = dict.fromkeys(self._sources(), self.start_s)
        self._played_s = -math.inf
        self._writer = LedgerWriter(target, _header(recorded.meta, speed, self.begin_s))
        for table in ("entity", "service"):
            self._append(table, f"SELECT * FROM {table}")

    def play_to(self, now_s: float) -> None:
        """Write what is known by `now_s` and was not by the last call."""
        for table, known_at in _KNOWN_AT.items():
            self._append(
                table,
                f"SELECT * FROM {table} WHERE {known_at} <= {now_s!r}"
                + (f" AND {known_at} > {self._played_s!r}" if self._played_s > -math.inf else ""),
            )
        self._cover(now_s)
        self._writer.flush()
        self._played_s = now_s

    def run(self, stop: threading.Event) -> None:
        """Play to the end, or until `stop` is set; the ledger stays as it is then."""
        begun_s = time.monotonic()
        while not stop.is_set() and self._played_s < self.end_s:
            now_s = self.begin_s + self._speed * (time.monotonic() - begun_s)
            self.play_to(min(now_s, self.end_s))
            stop.wait(TICK_S)

    def close(self) -> None:
        """Release the new ledger."""
        self._connection.close()
        self._writer.close()

    def _sources(self) -> list[tuple[str, str]]:
        sql = "SELECT DISTINCT source, quantity FROM coverage ORDER BY ALL"
        return [(source, quantity) for source, quantity in self._connection.execute(sql).fetchall()]

    def _cover(self, now_s: float) -> None:
        """State what each source covered since it was last stated."""
        for (source, quantity), since_s in self._covered_s.items():
            ((late_s,),) = self._connection.execute(
                f"SELECT min(t0_s) FROM {quantity} WHERE source = $1 AND t1_s > $2",
                [source, now_s],
            ).fetchall()
            until_s = now_s if late_s is None else min(now_s, late_s)
            if until_s <= since_s:
                continue
            start, end = repr(since_s), repr(until_s)
            self._append(
                "coverage",
                f"SELECT * REPLACE (greatest(t0_s, {start}) AS t0_s, least(t1_s, {end}) AS t1_s)"
                f" FROM coverage WHERE source = $1 AND quantity = $2 AND t1_s > {start}"
                f" AND t0_s < {end} ORDER BY t0_s, t1_s",
                [source, quantity],
            )
            self._covered_s[source, quantity] = until_s

    def _append(self, table: str, sql: str, parameters: list[str] | None = None) -> None:
        with sql_errors(self._recorded.path):
            rows = self._connection.sql(sql, params=parameters).to_arrow_table()
        if rows.num_rows:
            self._writer.append(table, _columns(rows))


def _columns(rows: pa.Table) -> dict[str, pa.ChunkedArray]:
    return dict(zip(rows.column_names, rows.columns, strict=True))


def _header(meta: Meta, speed: float, begin_s: float) -> Meta:
    """The recorded header; at speed 1 its clock is set so that the replay begins now."""
    zero = meta.t_zero
    if speed == 1.0:
        zero = (datetime.now(UTC) - timedelta(seconds=begin_s)).isoformat()
    note = f"This is a replay of a recorded ledger at {speed:g} times its pace."
    return dataclasses.replace(meta, t_zero=zero, control={}, notes=(note, *meta.notes))


@contextmanager
def replayed(recorded: Path, *, speed: float, begin_s: float | None = None) -> Iterator[Path]:
    """A ledger in a temporary folder that grows as the recorded one did.

    Args:
        recorded: The recorded ledger.
        speed: Seconds of the ledger per second.
        begin_s: How much of it is there at once; None: a quarter.

    Raises:
        LedgerError: No ledger, an empty one, or a speed that is not positive.
    """
    source = open_ledger(recorded)
    with tempfile.TemporaryDirectory(prefix="tree6g-replay-") as folder:
        target = Path(folder) / "ledger"
        player = Player(source, target, speed=speed, begin_s=begin_s)
        player.play_to(player.begin_s)
        stop = threading.Event()
        thread = threading.Thread(target=player.run, args=(stop,), daemon=True)
        thread.start()
        try:
            yield target
        finally:
            stop.set()
            thread.join()
            player.close()
