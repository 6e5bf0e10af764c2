"""What is shown over time: length of windows, power in them, gaps, energy flows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from tree6g.ledger.reading import Ledger, named_sql

WINDOWS: Final = 90
_STEPS_S: Final = (
    0.001, 0.01, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200,
    10800, 21600, 43200, 86400, 7 * 86400,
)  # fmt: skip
Row = Mapping[str, Any]


def window_length_s(span_s: float, interval_s: float, most: int = WINDOWS) -> float:
    """A round window length that gives at most about `most` windows, no finer than the rows."""
    least = max(span_s / most, min(interval_s, span_s))
    return next((float(s) for s in _STEPS_S if s >= least * 0.999), least) or 1.0


def power(ledger: Ledger, inside: Sequence[str], edges_s: Sequence[float]) -> list[Row]:
    """Mean power by component: rows `number, component, power_w`, as metered, covered or not.

    Args:
        ledger: The ledger.
        inside: Nodes that count.
        edges_s: Edges of adjacent windows, rising. [window + 1]
    """
    sql = named_sql("metric", "power")
    rows: list[Row] = ledger.query(sql, [list(inside), list(edges_s)]).to_pylist()
    return rows


def gaps(ledger: Ledger, t0_s: float, t1_s: float) -> list[Row]:
    """Times that a source did not cover: rows `t0_s, t1_s, source, quantity, node, reason`."""
    rows: list[Row] = ledger.query(named_sql("metric", "gaps"), [t0_s, t1_s]).to_pylist()
    return rows


def component_flows(rows: Iterable[Row]) -> list[Row]:
    """Joules from components to services: the nodes of the metric's flows added up."""
    total: dict[tuple[str, str | None, str | None], float] = {}
    for row in rows:
        key = (str(row["component"]), row["service"], row["reason"])
        total[key] = total.get(key, 0.0) + float(row["energy_j"])
    order = sorted(total, key=lambda k: (k[0], k[1] is None, k[1] or "", k[2] or ""))
    return [
        {"component": c, "service": s, "reason": r, "energy_j": total[c, s, r]} for c, s, r in order
    ]
