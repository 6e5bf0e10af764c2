"""Worth of work: effective tokens (METRIC rule 4), utility on intervals (rule 2), bits (rule 6)."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from tree6g.metric import sessions
from tree6g.metric.cells import Book
from tree6g.metric.coverage import FloatArray
from tree6g.metric.profile import Service
from tree6g.metric.utility import utility_bps

IntArray = npt.NDArray[np.int64]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """What one unit of a kind of work counts as.

    Attributes:
        bits: Delivered bits on time.
        effective: Effective tokens delivered on time.
        offered: Effective tokens, or bits of a data service, had all been on time.
    """

    bits: float = 0.0
    effective: float = 0.0
    offered: float = 0.0


def factor(service: Service, kind: str, model: str | None) -> Factor:
    """Worth of one unit of `kind` in effective tokens and bits.

    N_eff = q_m r_m (k_in N_in + k_out N_out + k_reasoning N_reasoning), late work times
    `late_frac`. `*_late` is part of delivered kinds, so it subtracts; `*_lost` was only offered.
    """
    if kind.startswith("bit"):
        return _bits(service, kind)
    if service.kind != "ai":
        return Factor()
    profile = service.profile
    scale = service.quality.get(model or "", 1.0) * service.tokenizer.get(model or "", 1.0)
    late = profile.late_frac - 1.0
    on_time, offered = {
        "token_in": (profile.k_in, profile.k_in),
        "token_in_cached": (profile.k_in, profile.k_in),
        "token_in_late": (profile.k_in * late, 0.0),
        "token_in_lost": (0.0, profile.k_in),
        "token_out": (profile.k_out, profile.k_out),
        "token_late": (profile.k_out * late, 0.0),
        "token_lost": (0.0, profile.k_out),
        "token_reasoning": (profile.k_reasoning, profile.k_reasoning),
    }.get(kind, (0.0, 0.0))
    return Factor(effective=scale * on_time, offered=scale * offered)


def _bits(service: Service, kind: str) -> Factor:
    late = service.profile.late_frac - 1.0
    delivered = {"bit_ul": 1.0, "bit_dl": 1.0, "bit_late": late}.get(kind, 0.0)
    offered = {"bit_ul": 1.0, "bit_dl": 1.0, "bit_lost": 1.0}.get(kind, 0.0)
    return Factor(bits=delivered, offered=offered if service.kind == "data" else 0.0)


def phase_weights(book: Book) -> None:
    """Table `phase_weight`: weight of one unit of demand per node, model and kind.

    The most specific row of the header's `phase_weights` wins; demand without one counts as it is.
    """
    combinations = book.rows("SELECT DISTINCT node, model, kind FROM deed ORDER BY ALL")
    rows = [(*c, _phase_weight(book, *c)) for c in combinations]
    _register(book, "phase_weight", ("node", "model", "kind", "weight"), rows)


def _phase_weight(book: Book, node: str, model: str | None, kind: str) -> float:
    best, weight = -1, 1.0
    have = {"node": node, "model": model, "kind": kind}
    for row in book.ledger.meta.phase_weights:
        asked = {k: row[k] for k in have if row.get(k) is not None}
        if len(asked) > best and all(have[k] == v for k, v in asked.items()):
            best, weight = len(asked), float(row["weight"])
    return weight


def value_cells(book: Book) -> list[str]:
    """Table `value`: utility and work per service, node and interval.

    Returns:
        Marks that the figure must carry: `estimated`, `bound`; and `unseen:<service>` where
        sessions would be needed and are not known.
    """
    combinations = book.rows(
        "SELECT DISTINCT service, kind, model FROM deed UNION SELECT DISTINCT service,"
        " unnest(['token_in', 'token_out']), model FROM listed_request ORDER BY ALL"
    )
    rows: list[tuple[object, ...]] = []
    for name, kind, model in combinations:
        service = book.services[name]
        worth = factor(service, kind, model)
        unit = _unit_worth(service)
        rows.append(
            (name, kind, model, worth.bits, worth.effective,
             unit * (worth.bits if service.kind == "data" else worth.effective),
             unit * worth.offered, worth.offered)
        )  # fmt: skip
    columns = ("service", "kind", "model", "bits", "effective", "utility_beq", "offered_beq", "all")
    _register(book, "factor", columns, rows)
    _register(book, "slices", ("service", "slice"), _slices(book))
    book.script("curved")
    book.script("value")
    marks: list[str] = []
    for service in book.services.values():
        if service.kind == "ai" and not service.profile.curve.linear:
            marks += _curved(book, service)
    return marks


def _slices(book: Book) -> list[tuple[object, ...]]:
    """Slice of each service: the header's, else that of table `service`."""
    stated = dict(book.rows("SELECT service, any_value(slice) FROM service GROUP BY ALL"))
    return [(s.name, s.slice or stated.get(s.name)) for s in book.services.values()]


def _unit_worth(service: Service) -> float:
    """Worth per bit or effective token, 0 where the worth is not proportional to the work."""
    if service.kind == "data":
        return service.weight
    linear = service.kind == "ai" and service.profile.curve.linear
    if not linear:
        return 0.0
    curve = service.profile.curve
    return service.weight * float(utility_bps(1.0, curve))


def _curved(book: Book, service: Service) -> list[str]:
    """Utility of a service whose worth is not linear, on its own averaging intervals."""
    profile, work = service.profile, sessions.intervals(book, service)
    node, k = work.node, work.k
    if not len(k):
        return []
    by_session = profile.unit in {"session", "user"}
    seen = by_session and sessions.complete(book, service)
    marks = ["bound"] if not seen and sessions.too_long(book, service) else []
    if by_session and not seen and not np.all(np.isfinite(work.session_s[work.delivered_tok > 0])):
        return [*marks, f"unseen:{service.name}"]
    if seen:
        node, k, earned, possible = sessions.by_request(book, service)
    else:
        span = covered_s(book, profile.interval_s, k)
        units = np.nan_to_num(work.session_s) / span if by_session else np.ones_like(span)
        offered = work.delivered_tok if by_session else work.delivered_tok + work.lost_tok
        earned, possible = (
            sessions.pooled(profile, k, tokens, units, span)
            for tokens in (work.on_time_tok, offered)
        )
    lost = _lost_per_delivered(work) if by_session else 0.0
    if by_session and (not seen or lost > 0):
        marks.append("estimated")
    possible = possible * (1.0 + lost)
    _insert(book, service, node, k, service.weight * earned, service.weight * possible)
    return marks


def _lost_per_delivered(work: sessions.Intervals) -> float:
    """Lost over delivered effective tokens: lost sessions are worth what the others are."""
    delivered = float(work.delivered_tok.sum())
    return float(work.lost_tok.sum()) / delivered if delivered > 0 else 0.0


def covered_s(book: Book, grid_s: float, k: IntArray) -> FloatArray:
    """Covered time of each interval; the whole interval where the ledger is covered throughout."""
    low, high = k * grid_s, (k + 1) * grid_s
    total = np.zeros(len(k))
    for start, end in book.cover:
        total += np.clip(np.minimum(high, end) - np.maximum(low, start), 0.0, None)
    return np.where(total > 0, total, grid_s)


def _insert(
    book: Book,
    service: Service,
    node: sessions.Names,
    k: IntArray,
    earned: FloatArray,
    offered: FloatArray,
) -> None:
    columns: dict[str, tuple[str, list[Any]]] = {
        "service": ("word", [service.name] * len(k)),
        "node": ("word", node.tolist()),
        "grid_s": ("DOUBLE", [service.profile.interval_s] * len(k)),
        "k": ("BIGINT", k.tolist()),
        "utility_beq": ("DOUBLE", earned.tolist()),
        "offered_beq": ("DOUBLE", offered.tolist()),
    }
    book.store("entries", columns)
    book.connection.execute("INSERT INTO curved FROM entries")


def _register(
    book: Book, name: str, columns: tuple[str, ...], rows: list[tuple[object, ...]]
) -> None:
    """A small table of our own, typed by its column names."""
    text = {"service", "kind", "model", "node"}
    types = ["word" if c in text else "VARCHAR" if c == "slice" else "DOUBLE" for c in columns]
    values = [[row[n] for row in rows] for n in range(len(columns))]
    book.store(name, dict(zip(columns, zip(types, values, strict=True), strict=True)))
