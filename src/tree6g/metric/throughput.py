"""Throughput of users: means, percentiles and fairness by service and direction."""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

import duckdb

from tree6g.ledger.reading import named_sql
from tree6g.metric.coverage import Span
from tree6g.metric.histogram import jain, percentile, pooled, sound
from tree6g.metric.part import ratio

Bucket = tuple[float, float, float | None, float | None]  # upper edge, samples, bits, time
Throughputs = Mapping[tuple[str, str], Sequence[Bucket]]  # by service and direction
_FIELDS: Final = ("mean_bps", "p5_bps", "p50_bps", "p95_bps", "jain")
_UNSEEN: Final = "the ledger has no histogram of the throughput of its users"
_UNSUMMED: Final = "the histogram does not state the bits and the time behind it"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """Throughput of users in one direction.

    A sample is one user in one interval of the rows: its bits over the time in which it had
    something to send. Percentiles are upper edges of buckets.

    Attributes:
        samples: Their number.
        mean_bps: Bits of all samples over their time.
        p5_bps: 5 % of the samples are no faster: users at the edge.
        p50_bps: Half of them are no faster.
        p95_bps: 95 % of them are no faster.
        jain: Jain's fairness index over the samples.
        reasons: Why a field is None, by field.
    """

    samples: float
    mean_bps: float | None
    p5_bps: float | None
    p50_bps: float | None
    p95_bps: float | None
    jain: float | None
    reasons: Mapping[str, str] = dataclasses.field(default_factory=dict)


def read_throughputs(connection: duckdb.DuckDBPyConnection, span: Span) -> Throughputs:
    """Buckets of every service and direction in a window, prorated."""
    rows = connection.execute(named_sql("metric", "kpi_throughput"), list(span)).fetchall()
    rows = sound(rows, "throughput", optional=(4, 5))
    found: dict[tuple[str, str], list[Bucket]] = defaultdict(list)
    for service, kind, *bucket in rows:
        edge_bps, count, volume_bit, time_s = bucket
        found[service, kind].append((edge_bps, count, volume_bit, time_s))
    return found


def throughput_of(known: Throughputs, services: Sequence[str], kind: str) -> Throughput:
    """Throughput of the users of some services in one direction.

    Args:
        known: From `read_throughputs`.
        services: Whose samples are pooled; a user of two of them is two samples.
        kind: `dl` or `ul`.
    """
    buckets = [b for service in services for b in known.get((service, kind), ())]
    edges = pooled([[(edge, n) for edge, n, _, _ in buckets]])
    samples = math.fsum(n for _, n in edges)
    if not samples > 0:
        return Throughput(
            samples=0.0, mean_bps=None, p5_bps=None, p50_bps=None, p95_bps=None, jain=None,
            reasons=dict.fromkeys(_FIELDS, _UNSEEN),
        )  # fmt: skip
    mean_bps = _mean_bps(buckets)
    return Throughput(
        samples=samples,
        mean_bps=mean_bps,
        p5_bps=percentile(edges, 0.05),
        p50_bps=percentile(edges, 0.5),
        p95_bps=percentile(edges, 0.95),
        jain=jain(edges),
        reasons={} if mean_bps is not None else {"mean_bps": _UNSUMMED},
    )


def _mean_bps(buckets: Sequence[Bucket]) -> float | None:
    bits = [volume for _, n, volume, _ in buckets if n > 0]
    times = [time for _, n, _, time in buckets if n > 0]
    if any(v is None for v in (*bits, *times)):
        return None
    return ratio(math.fsum(v or 0.0 for v in bits), math.fsum(v or 0.0 for v in times))
