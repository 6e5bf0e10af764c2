"""Mean rates of utility units on averaging intervals, for utility that is not linear (rule 2)."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from tree6g.ledger.reading import named_sql
from tree6g.metric.cells import Book
from tree6g.metric.coverage import FloatArray
from tree6g.metric.profile import Profile, Service
from tree6g.metric.utility import utility_bps

IntArray = npt.NDArray[np.int64]
Names = npt.NDArray[np.object_]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """Work of a service by node and averaging interval, in effective tokens.

    Attributes:
        node: Node. [entry]
        k: Number of the interval. [entry]
        on_time_tok: Delivered on time; negative only where rows of late work are longer than those
            of the work that they are part of. [entry]
        delivered_tok: Delivered, had all of it been on time. [entry]
        lost_tok: Offered and never delivered. [entry]
        session_s: Session-seconds, nan where sessions are not seen. [entry]
    """

    node: Names
    k: IntArray
    on_time_tok: FloatArray
    delivered_tok: FloatArray
    lost_tok: FloatArray
    session_s: FloatArray


def intervals(book: Book, service: Service) -> Intervals:
    """Work of a service on its averaging intervals."""
    asked = {"service": service.name, "delta": service.profile.interval_s}
    found = book.connection.execute(named_sql("metric", "intervals"), asked).fetchnumpy()
    node, k, on_time, delivered, lost, running = (np.ma.getdata(found[c]) for c in found)
    return Intervals(
        node=node,
        k=k.astype(np.int64),
        on_time_tok=on_time,
        delivered_tok=delivered,
        lost_tok=lost,
        session_s=running,
    )


def complete(book: Book, service: Service) -> bool:
    """Whether table `request` holds every finished request, its stream inside the covered time."""
    if book.clipped or len(book.cover) != 1:
        return False
    start_s, end_s = book.cover[0]
    rows, counted = book.connection.execute(
        "SELECT (SELECT count(*) FROM request JOIN inside USING (node)"
        " WHERE service = $name AND ttft_s <= e2e_s"
        " AND arrival_s + ttft_s >= $start AND arrival_s + e2e_s <= $end),"
        " (SELECT sum(amount) FROM work_cells JOIN inside USING (node)"
        " WHERE service = $name AND kind = 'request')",
        {"name": service.name, "start": start_s, "end": end_s},
    ).fetchall()[0]
    return bool(rows) and counted is not None and abs(rows - counted) <= 1e-9 * rows


def too_long(book: Book, service: Service) -> bool:
    """Whether rows are longer than the averaging interval, so that rates come smoothed."""
    # The rows as they are: coverage may cut one short, its rate stays smoothed over all of it.
    longest = book.connection.execute(
        "SELECT max(t1_s - t0_s) FROM work WHERE service = ? AND kind IN ('token_in', 'token_out')",
        [service.name],
    ).fetchall()[0][0]
    return longest is not None and longest > service.profile.interval_s * (1 + 1e-9)


def pooled(
    profile: Profile,
    k: IntArray,
    tokens: FloatArray,
    units: FloatArray,
    span_s: FloatArray,
) -> FloatArray:
    """Utility n U(T/n) of each entry, in bit-equivalents.

    The unit `service` pools its nodes before U and shares the utility by tokens afterwards, so that
    sites and nodes sum to the service.

    Args:
        profile: Curve and unit.
        k: Interval of the entry. [entry]
        tokens: Effective tokens. [entry]
        units: Mean number n of utility units. [entry]
        span_s: Covered time of the interval. [entry]
    """
    earned = np.maximum(tokens, 0.0)
    if profile.unit != "service":
        safe = np.where(units > 0, units, 1.0)
        return safe * utility_bps(earned / (safe * span_s), profile.curve) * span_s
    _, where = np.unique(k, return_inverse=True)
    total = np.maximum(np.bincount(where, weights=tokens), 0.0)[where]
    shared = np.bincount(where, weights=earned)[where]
    worth = utility_bps(total / span_s, profile.curve) * span_s
    return worth * np.divide(earned, shared, out=np.zeros_like(tokens), where=shared > 0)


def by_request(book: Book, service: Service) -> tuple[Names, IntArray, FloatArray, FloatArray]:
    """Utility of sessions or users seen one by one: node, interval, earned, had all been on time.

    A request's effective tokens are taken as evenly spread from its first to its last token.
    """
    profile = service.profile
    sql = named_sql("metric", "requests")
    found = book.connection.execute(sql, {"service": service.name}).fetchnumpy()
    node, ue, number, first, last, on_time, offered = (np.ma.getdata(found[c]) for c in found)
    owner = ue if profile.unit == "user" else number
    k, part, entry = _spread(first, last, profile.interval_s)
    key = np.stack([np.unique(node, return_inverse=True)[1][entry], owner[entry], k], axis=1)
    groups, where = np.unique(key, axis=0, return_inverse=True)
    span = profile.interval_s
    worth = [
        utility_bps(
            np.bincount(where.ravel(), weights=(tokens[entry] * part)) / span, profile.curve
        )
        * span
        for tokens in (on_time, offered)
    ]
    cell, index = np.unique(
        np.stack([groups[:, 0], groups[:, 2]], axis=1), axis=0, return_inverse=True
    )
    earned, possible = (np.bincount(index.ravel(), weights=w).astype(np.float64) for w in worth)
    names = np.unique(node)
    return names[cell[:, 0]], cell[:, 1].astype(np.int64), earned, possible


def _spread(
    first_s: FloatArray, last_s: FloatArray, interval_s: float
) -> tuple[IntArray, FloatArray, IntArray]:
    """Intervals that each span [first, last] touches, with the share of the span in each."""
    k0 = np.floor(first_s / interval_s).astype(np.int64)
    k1 = np.floor(last_s / interval_s).astype(np.int64)
    count = k1 - k0 + 1
    entry = np.repeat(np.arange(len(first_s)), count)
    k = k0[entry] + np.arange(len(entry)) - np.repeat(np.cumsum(count) - count, count)
    length = (last_s - first_s)[entry]
    overlap = np.minimum(last_s[entry], (k + 1) * interval_s) - np.maximum(
        first_s[entry], k * interval_s
    )
    share = np.divide(overlap, length, out=np.ones_like(overlap), where=length > 0)
    return k, share, entry
