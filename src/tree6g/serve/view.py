"""What a page shows: figures over time, of one state of the ledger, before any weight."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from tree6g.errors import LedgerError
from tree6g.ledger.reading import Ledger
from tree6g.metric import coverage, tree
from tree6g.metric.coverage import FloatArray, Span
from tree6g.metric.figure import Figure, Query
from tree6g.metric.profile import Service, from_meta
from tree6g.metric.reweigh import plain
from tree6g.metric.windows import Row, component_flows, gaps, power, window_length_s
from tree6g.serve.extent import may_narrow, narrowed
from tree6g.serve.follow import State

WINDOWS: Final = 120
MOST_WINDOWS: Final = 2000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What part of a ledger to show, and how to take its figures.

    Attributes:
        span_s: The newest so many seconds; None: all. Without effect where `t0_s` is given.
        t0_s: Start; None: as `span_s` says.
        t1_s: End; None: where the ledger ends.
        window_s: Length of a window; None: a round one that gives at most `WINDOWS` of them.
        boundary: As in `Query`.
        rule: As in `Query`.
        idle: As in `Query`.
    """

    span_s: float | None = None
    t0_s: float | None = None
    t1_s: float | None = None
    window_s: float | None = None
    boundary: str | None = None
    rule: str | None = None
    idle: str | None = None

    def __post_init__(self) -> None:
        """Refuse lengths that are not positive, and words that no rule has."""
        for name in ("span_s", "window_s"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise LedgerError(f"expected {name} > 0 s; got {value}.")
        self.query()

    def query(self, t0_s: float | None = None, t1_s: float | None = None) -> Query:
        """The figure's query over a window, by default the view's own."""
        return Query(
            boundary=self.boundary,
            rule=self.rule,
            idle=self.idle,
            t0_s=self.t0_s if t0_s is None else t0_s,
            t1_s=self.t1_s if t1_s is None else t1_s,
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Figures over time at w = 1 and alpha = 1, from which any weights follow.

    Attributes:
        state: The ledger as it stood.
        figure: Of the whole shown time, at w = 1 and alpha = 1.
        services: As the header weights them.
        edges_s: Edges of the windows. [window + 1]
        covered_s: Time in each that every source covered. [window]
        sums: By service (None: of no service), then by quantity `utility_beq`, `bits_bit`,
            `tokens_out_tok`, `energy_j`: sums over each window; nan where unknown. [window]
        power: Rows of mean power by component, as metered.
        flows: Rows of energy from components to services.
        gaps: Rows of what sources say they missed.
        uncovered: Times that not every source covered.
    """

    state: State
    figure: Figure
    services: Mapping[str, Service]
    edges_s: FloatArray
    covered_s: FloatArray
    sums: Mapping[str | None, Mapping[str, FloatArray]]
    power: Sequence[Row]
    flows: Sequence[Row]
    gaps: Sequence[Row]
    uncovered: Sequence[Span]


QUANTITIES: Final = ("utility_beq", "bits_bit", "tokens_out_tok", "energy_j")


def window_of(state: State, view: View) -> tuple[float, float, float]:
    """Start and end of a view, and the length of its windows.

    A view of the newest time starts on a multiple of its window.

    Raises:
        LedgerError: It would have more than `MOST_WINDOWS` windows, or no length.
    """
    first_s, last_s = state.extent or (0.0, 0.0)
    t1_s = last_s if view.t1_s is None else view.t1_s
    t0_s = first_s if view.t0_s is None else view.t0_s
    if view.t0_s is None and view.span_s is not None:
        t0_s = max(first_s, t1_s - view.span_s)
    grid_s = state.ledger.meta.attribution_interval_s
    window_s = view.window_s or window_length_s(t1_s - t0_s, grid_s, WINDOWS)
    if view.t0_s is None and t0_s > first_s:
        t0_s = max(first_s, math.floor(t0_s / window_s + 1e-9) * window_s)
    if not t0_s <= t1_s:
        raise LedgerError(f"expected t1_s >= t0_s; got the window [{t0_s} s, {t1_s} s).")
    if (t1_s - t0_s) / window_s > MOST_WINDOWS:
        raise LedgerError(
            f"expected at most {MOST_WINDOWS} windows; got windows of {window_s} s over "
            f"{t1_s - t0_s} s. Ask for a longer window_s."
        )
    return t0_s, t1_s, window_s


def ledger_for(state: State, query: Query, window: Span) -> Ledger:
    """As much of the ledger as the figures of a window need."""
    meta = state.ledger.meta
    if may_narrow(meta, query.idle or meta.idle_rule):
        return narrowed(state.ledger, state.spans, window)
    return state.ledger


def take(state: State, view: View) -> Snapshot:
    """Ask a ledger everything that a page shows."""
    t0_s, t1_s, window_s = window_of(state, view)
    services = from_meta(state.ledger.meta)
    query = plain(view.query(t0_s, t1_s), services)
    ledger = ledger_for(state, query, (t0_s, t1_s))
    figure = tree.figure(ledger, query)
    edges_s = _edges(t0_s, t1_s, window_s)
    held = cover(ledger, view)
    found = tree.series(ledger, query, by=("service", "window"), window_s=window_s).to_pylist()
    return Snapshot(
        state=state,
        figure=figure,
        services=services,
        edges_s=edges_s,
        covered_s=_covered_s(held, edges_s),
        sums=_sums(found, edges_s, services),
        power=power(ledger, figure.inside, edges_s.tolist()),
        flows=component_flows(tree.flows(ledger, query).to_pylist()),
        gaps=gaps(ledger, t0_s, t1_s),
        uncovered=coverage.without([(t0_s, t1_s)] if t1_s > t0_s else [], held),
    )


def _edges(t0_s: float, t1_s: float, window_s: float) -> FloatArray:
    """Edges of the windows of `tree.series`: multiples of their length, cut to the view."""
    first = math.floor(t0_s / window_s + 1e-9)
    last = max(math.ceil(t1_s / window_s - 1e-9), first + 1)
    return np.array([t0_s, *(k * window_s for k in range(first + 1, last)), t1_s])


def cover(ledger: Ledger, view: View) -> list[Span]:
    """Time that every source covered, of the nodes inside the view's boundary."""
    boundary = view.boundary or ledger.meta.boundary
    inside = ledger.query(
        "SELECT DISTINCT node FROM entity WHERE list_contains(string_split(boundaries, ' '), $1)",
        [boundary],
    )
    rows = ledger.query(
        "SELECT t0_s, t1_s, source, quantity, node, status FROM coverage ORDER BY ALL"
    )
    columns = [rows[name].to_pylist() for name in rows.column_names]
    return coverage.covered(zip(*columns, strict=True), set(inside["node"].to_pylist()))


def _covered_s(held: Sequence[Span], edges_s: FloatArray) -> FloatArray:
    spans = zip(edges_s[:-1].tolist(), edges_s[1:].tolist(), strict=True)
    return np.array([coverage.length_s(coverage.intersection(held, [s])) for s in spans])


def _sums(
    rows: Sequence[Mapping[str, Any]], edges_s: FloatArray, services: Mapping[str, Service]
) -> dict[str | None, dict[str, FloatArray]]:
    """Rows of `tree.series` as arrays over the windows."""
    count = len(edges_s) - 1
    sums: dict[str | None, dict[str, FloatArray]] = {
        name: {q: np.zeros(count) for q in QUANTITIES} for name in (*services, None)
    }
    for row in rows:
        at = int(np.clip(np.searchsorted(edges_s, row["t0_s"], side="right") - 1, 0, count - 1))
        for q in QUANTITIES:
            value = row[q]
            sums[row["service"]][q][at] += math.nan if value is None else value
    return sums
