"""Which time the parts of a ledger hold, and a ledger without the parts that a window needs not."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from tree6g.ledger.meta import Meta
from tree6g.ledger.reading import Ledger, sql_errors
from tree6g.metric.coverage import Span
from tree6g.metric.profile import from_meta

# Tables of intervals; `request` stays whole, for what is complete is asked of all of it.
TIMED: Final = ("energy", "work", "coverage", "latency", "throughput", "prb", "impact")
_FOOTERS: Final = """
SELECT file_name, path_in_schema, count(*) = count(stats_min_value) AND count(*) =
       count(stats_max_value), min(TRY_CAST(stats_min_value AS DOUBLE)),
       max(TRY_CAST(stats_max_value AS DOUBLE))
FROM parquet_metadata(?) WHERE path_in_schema IN ('t0_s', 't1_s') GROUP BY ALL
"""
EVERYWHEN: Final[Span] = (-math.inf, math.inf)


def part_spans(ledger: Ledger, known: Mapping[Path, Span]) -> dict[Path, Span]:
    """First start and last end of each part of a table of intervals, from its footer.

    Args:
        ledger: The ledger.
        known: Spans of parts from an earlier look; parts are never changed.

    Returns:
        By part; a part whose footer does not tell may hold any time.
    """
    paths = [path for table in TIMED for path in ledger.parts[table]]
    spans = {path: known[path] for path in paths if path in known}
    new = [path for path in paths if path not in known]
    if not new:
        return spans
    with ledger.connect() as connection, sql_errors(ledger.path):
        found = connection.execute(_FOOTERS, [[str(p) for p in new]]).fetchall()
    told = {(file, column): (low, high) for file, column, all_, low, high in found if all_}
    for path in new:
        start, end = told.get((str(path), "t0_s")), told.get((str(path), "t1_s"))
        spans[path] = (start[0], end[1]) if start and end else EVERYWHEN
    return spans


def extent(ledger: Ledger, spans: Mapping[Path, Span]) -> Span | None:
    """First start and last end of energy, work and coverage; None for an empty ledger."""
    tables = ("energy", "work", "coverage")
    held = [spans[path] for table in tables for path in ledger.parts[table]]
    finite = [span for span in held if span != EVERYWHEN]
    if not finite:
        return None
    # A footer's 0 may be -0.
    return min(a for a, _ in finite) + 0.0, max(b for _, b in finite) + 0.0


def narrowed(ledger: Ledger, spans: Mapping[Path, Span], window: Span) -> Ledger:
    """The ledger without parts that no figure over a window needs.

    A figure cuts whole cells and averaging intervals, so parts within one of them beside the window
    stay.
    """
    margin_s = max([ledger.meta.attribution_interval_s, *_averaging(ledger.meta)])
    low, high = window[0] - margin_s, window[1] + margin_s
    kept = {
        table: tuple(
            p for p in paths if table not in TIMED or (spans[p][1] > low and spans[p][0] < high)
        )
        for table, paths in ledger.parts.items()
    }
    return dataclasses.replace(ledger, parts=kept)


def may_narrow(meta: Meta, idle: str) -> bool:
    """Whether figures of a window depend on rows near it alone.

    Idle energy spread by the use of the whole ledger does not, nor do sessions, which are believed
    if the requests of the whole ledger are listed.
    """
    by_session = any(
        s.kind == "ai" and not s.profile.curve.linear and s.profile.unit in {"session", "user"}
        for s in from_meta(meta).values()
    )
    return idle != "spread" and not by_session


def _averaging(meta: Meta) -> Iterable[float]:
    return (s.profile.interval_s for s in from_meta(meta).values())
