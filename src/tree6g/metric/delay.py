"""How long users and packets wait: means and percentiles by service."""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

import duckdb

from tree6g.ledger.reading import Ledger, named_sql, sql_errors
from tree6g.metric.coverage import Span
from tree6g.metric.histogram import percentile, pooled, sound

Bucket = tuple[float, float, float | None]  # upper edge, events, sum of their times
# Both directions of a service together, as services of data are mostly one-way.
PACKET: Final = "packet"
_PACKETS: Final = ("packet_dl", "packet_ul")
_UNSUMMED: Final = "the histogram does not state the sum of its times"
_OPEN: Final = "beyond the last bucket of the histogram"
_UNSEEN: Final = {
    PACKET: "the ledger has no histogram of its packet delay",
    "ttft": "no answered request states its time to first token, and there is no histogram of it",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """Waiting times of one kind.

    Attributes:
        count: How many were seen; 0 if none.
        mean_s: Their mean.
        p50_s: Half of them are no longer.
        p95_s: 95 % of them are no longer.
        p99_s: 99 % of them are no longer.
        origin: `requests`, one by one; `histogram`, percentiles are upper edges of buckets; None.
        reasons: Why a field is None, by field.
    """

    count: float
    mean_s: float | None
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None
    origin: str | None
    reasons: Mapping[str, str] = dataclasses.field(default_factory=dict)


Delays = Mapping[tuple[str, str], Delay]  # by service and kind


def delays_of(ledger: Ledger, span: Span) -> Delays:
    """Waiting times of every service and kind that the ledger knows, in a window.

    Requests count by their arrival, packets by when they arrived. Kinds are `ttft`, `tpot`, `e2e`
    of table `request`, or of histograms for services without such requests; `packet_dl`,
    `packet_ul`, and `packet` for both together.

    Args:
        ledger: Simulated or measured.
        span: Start and end of the window.

    Raises:
        LedgerError: A part cannot be read.
    """
    with sql_errors(ledger.path), ledger.connect() as connection:
        return read_delays(connection, span)


def read_delays(connection: duckdb.DuckDBPyConnection, span: Span) -> Delays:
    """As `delays_of`, over an open connection to a ledger."""
    found: dict[tuple[str, str], Delay] = {}
    for key, buckets in _histograms(connection, span).items():
        found[key] = _of_buckets(buckets)
    rows = connection.execute(named_sql("metric", "delay_requests"), list(span)).fetchall()
    for service, kind, count, mean_s, *points in sound(rows, "request"):
        p50_s, p95_s, p99_s = points
        found[service, kind] = Delay(
            count=float(count), mean_s=mean_s, p50_s=p50_s, p95_s=p95_s, p99_s=p99_s,
            origin="requests",
        )  # fmt: skip
    return found


def delay_of(delays: Delays, service: str, kind: str) -> Delay:
    """One of them; without any, a record that says why."""
    found = delays.get((service, kind))
    if found is not None:
        return found
    why = _UNSEEN.get(kind if kind not in _PACKETS else PACKET, "the ledger does not know it")
    fields = ("mean_s", "p50_s", "p95_s", "p99_s")
    nothing = dict.fromkeys(fields)
    return Delay(count=0.0, origin=None, reasons=dict.fromkeys(fields, why), **nothing)


def _histograms(
    connection: duckdb.DuckDBPyConnection, span: Span
) -> dict[tuple[str, str], list[Bucket]]:
    rows = connection.execute(named_sql("metric", "delay_buckets"), list(span)).fetchall()
    rows = sound(rows, "latency", optional=(4,))
    found: dict[tuple[str, str], list[Bucket]] = defaultdict(list)
    for service, kind, le_s, count, sum_s in rows:
        found[service, kind].append((le_s, count, sum_s))
    for service, kind in tuple(found):
        if kind in _PACKETS:
            found[service, PACKET] = found[service, PACKET] + found[service, kind]
    return found


def _of_buckets(buckets: Sequence[Bucket]) -> Delay:
    edges = pooled([[(edge, n) for edge, n, _ in buckets]])
    count = math.fsum(n for _, n in edges)
    sums = [total for _, n, total in buckets if n > 0]
    known = [total for total in sums if total is not None]
    mean_s = math.fsum(known) / count if count > 0 and len(known) == len(sums) else None
    points = {f"p{p}_s": percentile(edges, p / 100) for p in (50, 95, 99)}
    reasons = {name: _OPEN for name, value in points.items() if value is None}
    if mean_s is None:
        reasons["mean_s"] = _UNSUMMED
    return Delay(count=count, mean_s=mean_s, origin="histogram", reasons=reasons, **points)
