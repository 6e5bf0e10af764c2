"""Everything that a report says, taken from a ledger and its figure and from nothing else."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from tree6g.ledger.meta import Meta, digest
from tree6g.ledger.reading import Ledger, named_sql
from tree6g.metric import tree
from tree6g.metric.figure import Figure, Query, ServiceFigure
from tree6g.metric.histogram import percentile
from tree6g.metric.kpi import kpis
from tree6g.metric.kpi_figure import Kpis
from tree6g.metric.learning import Learnt, learnt
from tree6g.metric.profile import Service, from_meta, reweighted
from tree6g.metric.windows import component_flows, gaps, power, window_length_s
from tree6g.report.references import Reference, references

Row = Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a report is written from.

    Attributes:
        figure: The figure of the query.
        meta: Header of the ledger.
        services: Its services with their profiles, as the query weights them.
        window_s: Length of the windows of `power`.
        power: Rows `number, component, power_w`.
        flows: Rows `component, service, reason, energy_j`; service None is unattributed.
        percentiles: Rows `service, kind, count, p50_s, p90_s, p99_s, bound`.
        origins: Rows `origin, source, energy_j`.
        nodes: Rows `node, tier, site, what, record, boundaries`.
        gaps: Rows `t0_s, t1_s, source, quantity, node, reason`.
        references: What the ledger rests on.
        kpis: Key figures of its radio access network.
        learnt: Rounds of learning; None: nothing was to be learnt.
    """

    figure: Figure
    meta: Meta
    services: Mapping[str, Service]
    window_s: float
    power: Sequence[Row] = ()
    flows: Sequence[Row] = ()
    percentiles: Sequence[Row] = ()
    origins: Sequence[Row] = ()
    nodes: Sequence[Row] = ()
    gaps: Sequence[Row] = ()
    references: Sequence[Reference] = ()
    kpis: Kpis | None = None
    learnt: Learnt | None = None

    @property
    def ai(self) -> tuple[ServiceFigure, ...]:
        """The AI services."""
        return tuple(s for s in self.figure.services if s.kind == "ai")

    @property
    def title(self) -> str:
        """Name of the scenario, or of what wrote the ledger."""
        scenario = self.meta.scenario or {}
        return str(scenario.get("title") or scenario.get("name") or self.meta.producer)

    @property
    def configuration(self) -> str:
        """Hash of the scenario; of the header where a ledger was measured."""
        return configuration(self.meta)

    @property
    def stamp(self) -> str:
        """What every figure and table carries: configuration and the way the figure was taken."""
        f = self.figure
        way = f"{f.boundary}, {f.rule}, {f.idle}, profiles {f.profile_set[:8]}"
        return f"tree6g \u00b7 configuration {self.configuration[:12]} \u00b7 {way}"


def gather(ledger: Ledger, query: Query) -> Evidence:
    """Ask a ledger everything that its report says."""
    figure = tree.figure(ledger, query)
    span = (figure.t0_s, figure.t1_s)
    window_s = window_length_s(figure.t1_s - figure.t0_s, figure.attribution_interval_s)
    windows = math.ceil((span[1] - span[0]) / window_s - 1e-9)
    edges = [*(span[0] + i * window_s for i in range(windows)), span[1]]
    inside = list(figure.inside)

    def ask(name: str, *parameters: object) -> list[Row]:
        """Rows of a packaged query."""
        sql = named_sql("report", name)
        rows: list[Row] = ledger.query(sql, list(parameters)).to_pylist()
        return rows

    return Evidence(
        figure=figure,
        meta=ledger.meta,
        services=reweighted(from_meta(ledger.meta), query.weights, query.alphas),
        window_s=window_s,
        power=power(ledger, inside, edges),
        flows=component_flows(tree.flows(ledger, query).to_pylist()),
        percentiles=_percentiles(ask("percentiles", *span), ask("histograms", *span)),
        origins=ask("origins", inside, *span),
        nodes=ask("nodes"),
        gaps=gaps(ledger, *span),
        references=references(ledger),
        kpis=kpis(ledger, query),
        learnt=learnt(ledger),
    )


def configuration(meta: Meta) -> str:
    """The hash that stamps everything: of the scenario, or of a measured ledger's header."""
    if meta.scenario_hash:
        return meta.scenario_hash
    return digest(dataclasses.asdict(dataclasses.replace(meta, created=None)))


def _percentiles(exact: list[Row], buckets: list[Row]) -> list[Row]:
    """Percentiles of requests, and of histograms for what has no requests."""
    known = {(r["service"], r["kind"]) for r in exact}
    rows: list[Row] = [{**r, "bound": False} for r in exact]
    histograms: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for b in buckets:
        key = (str(b["service"]), str(b["kind"]))
        if key not in known:
            histograms.setdefault(key, []).append((float(b["le_s"]), float(b["count"])))
    for (service, kind), bucket in histograms.items():
        edges = {f"p{p}_s": percentile(sorted(bucket), p / 100) for p in (50, 90, 99)}
        count = sum(c for _, c in bucket)
        rows.append({"service": service, "kind": kind, "count": count, **edges, "bound": True})
    return rows
