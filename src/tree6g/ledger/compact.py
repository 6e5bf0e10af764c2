"""Fewer rows for the same joules and work: neighbours in time become one row."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from tree6g.errors import LedgerError
from tree6g.ledger import schema
from tree6g.ledger.meta import Meta
from tree6g.ledger.reading import ROWS_PER_BATCH, Ledger, named_sql, open_ledger, sql_errors
from tree6g.ledger.writer import LedgerWriter, new_ledger

MEMORY: Final = "512MB"
COARSE: Final = {
    "energy": "coarse_energy",
    "work": "coarse_work",
    "latency": "coarse_latency",
    "throughput": "coarse_throughput",
    "prb": "coarse_prb",
}


def coarsen(ledger: Ledger, out: str | Path, *, interval_s: float) -> Ledger:
    """Merge rows that touch within one interval [k, k+1) times `interval_s`.

    Sums are kept: joules, amounts, demand, session-seconds, events of a bucket, time of a carrier.
    Rows that reach over the edge of an interval, and gaps between rows, stay. Tables without
    intervals, and `coverage` and `impact`, are copied. The attribution interval of the result is at
    least `interval_s`.

    Args:
        ledger: What to read.
        out: Folder of the new ledger.
        interval_s: Longest row that merging may make.

    Raises:
        LedgerError: A service with a utility that is not linear averages over less than
            `interval_s` or over no whole multiple of it (its utility would change), or `out` is
            taken.
    """
    if not (math.isfinite(interval_s) and interval_s > 0):
        raise LedgerError(f"interval_s must be > 0 s; got {interval_s!r} s.")
    for name, limit_s in _averaging(ledger.meta):
        if not _is_multiple(limit_s, interval_s):
            raise LedgerError(
                f"interval_s must divide the averaging interval of service '{name}', {limit_s!r} "
                f"s, because its utility is not linear; got {interval_s!r} s. Longer rows would "
                "overstate its utility (METRIC rule 2)."
            )
    with new_ledger(Path(out), _coarse_meta(ledger.meta, interval_s)) as writer:
        for table in schema.TABLES:
            if table in COARSE:
                _merge_rows(ledger, table, interval_s, writer)
            else:
                _copy_rows(ledger, table, writer)
    return open_ledger(out)


def _merge_rows(ledger: Ledger, table: str, interval_s: float, writer: LedgerWriter) -> None:
    with ledger.connect(memory=MEMORY) as db, sql_errors(ledger.path):
        query = db.sql(named_sql("ledger", COARSE[table]), params={"interval_s": interval_s})
        for rows in query.to_arrow_reader(ROWS_PER_BATCH):
            writer.append(table, dict(zip(rows.schema.names, rows.columns, strict=True)))


def _copy_rows(ledger: Ledger, table: str, writer: LedgerWriter) -> None:
    for rows in ledger.batches(table):
        writer.append(table, dict(zip(rows.schema.names, rows.columns, strict=True)))


def _averaging(meta: Meta) -> Iterator[tuple[str, float]]:
    """Averaging intervals that rows may not outgrow: those of utilities that are not linear."""
    for name, service in meta.services.items():
        profile = service.get("profile")
        if not isinstance(profile, Mapping):
            continue
        curve = profile.get("curve")
        if not isinstance(curve, Mapping) or curve.get("family") == "linear":
            continue
        limit_s = profile.get("interval_s")
        if isinstance(limit_s, int | float) and limit_s > 0:
            yield name, float(limit_s)


def _is_multiple(whole: float, part: float) -> bool:
    ratio = whole / part
    return round(ratio) >= 1 and abs(ratio - round(ratio)) <= 1e-9 * ratio


def _coarse_meta(meta: Meta, interval_s: float) -> Meta:
    step_s = max(meta.attribution_interval_s, interval_s)
    if interval_s < step_s and not _is_multiple(step_s, interval_s):
        raise LedgerError(
            f"interval_s must divide the attribution interval, {step_s!r} s, or be longer; got "
            f"{interval_s!r} s."
        )
    note = f"rows were merged up to {interval_s:g} s"
    if step_s > meta.attribution_interval_s:
        note += f" and shared energy is attributed per {step_s:g} s"
    return dataclasses.replace(meta, attribution_interval_s=step_s, notes=(*meta.notes, note))
