"""The tables of a report, each made from the evidence."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Final

from tree6g.metric.figure import Figure, ServiceFigure
from tree6g.metric.profile import Service
from tree6g.report.evidence import Evidence, Row
from tree6g.report.numerals import J_PER_KWH, NBSP, quantity
from tree6g.report.references import EQUATION
from tree6g.report.tables import Cell, Column, Missing, Table

_SERVICE: Final = Column(key="service", head="service")
_WAITS: Final = {
    "ttft": "first token (TTFT)",
    "tpot": "each further token (TPOT)",
    "e2e": "whole answer (E2E)",
    "packet_dl": "downlink packet",
    "packet_ul": "uplink packet",
}
_HEADLINE: Final = (
    ("tree_beq_per_j", "TREE", "beq_per_j"),
    ("ee_bit_per_j", "EE, same boundary", "bit_per_j"),
    ("ee_ran_bit_per_j", "EE_ran, radio access network", "bit_per_j"),
    ("tok_per_j", "output tokens per joule", "tok_per_j"),
    ("j_per_tok", "joules per output token", "j_per_tok"),
    ("j_per_bit", "joules per bit", "j_per_bit"),
    ("utility_beq", "value earned", "beq"),
    ("bits_bit", "bits delivered", "bit"),
    ("tokens_out_tok", "output tokens", "tok"),
    ("energy_j", "energy inside the boundary", "j"),
    ("energy_ran_j", "energy of the radio access network", "j"),
    ("gini", "Gini of energy over value", ""),
    ("coverage_frac", "coverage", "frac"),
    ("conservation_error_frac", "conservation error", ""),
)


def defined(record: Figure | ServiceFigure, field: str) -> Cell:
    """A field of a figure, or why it is not defined."""
    value = getattr(record, field)
    if value is None:
        return Missing(reason=record.reasons.get(field, "not defined"))
    return float(value)


def headline(evidence: Evidence) -> Table:
    """All figures of the whole."""
    rows = []
    for field, name, unit in _HEADLINE:
        cell = defined(evidence.figure, field)
        shown = (
            cell
            if isinstance(cell, Missing)
            else quantity(float(cell or 0), unit).replace(NBSP, " ")
        )
        rows.append((name, shown, field, cell))
    columns = (
        Column(key="figure", head="figure"),
        Column(key="shown", head="value"),
        Column(key="field", head="field"),
        Column(key="value_si", head="SI value", unit=""),
    )
    return Table(name="headline", title="All figures", columns=columns, rows=tuple(rows))


def asymmetry(evidence: Evidence) -> Table:
    """What each service takes and brings, with its marginal TREE beside its asymmetry."""
    fields = (
        ("bit_share_frac", "of the bits", "frac"),
        ("energy_share_frac", "of the energy", "frac"),
        ("utility_share_frac", "of the value", "frac"),
        ("asymmetry", "asymmetry", ""),
        ("tree_beq_per_j", "TREE", "beq_per_j"),
        ("tree_marginal_beq_per_j", "marginal TREE", "beq_per_j"),
    )
    return _by_service(evidence, "asymmetry", "What each service takes and brings", fields)


def services(evidence: Evidence) -> Table:
    """Totals of each service."""
    fields = (
        ("energy_j", "energy", "j"),
        ("energy_marginal_j", "energy without it saved", "j"),
        ("utility_beq", "value", "beq"),
        ("bits_bit", "bits", "bit"),
        ("tokens_in_tok", "tokens in", "tok"),
        ("tokens_out_tok", "tokens out", "tok"),
        ("tokens_effective_tok", "effective tokens", "tok"),
        ("ee_bit_per_j", "EE", "bit_per_j"),
        ("j_per_tok", "energy per token", "j_per_tok"),
    )
    return _by_service(evidence, "services", "Totals by service", fields)


def latency(evidence: Evidence) -> Table:
    """Percentiles of waiting times beside their budgets."""
    rows = [_wait(r, evidence.services.get(str(r["service"]))) for r in _sorted_waits(evidence)]
    columns = (
        _SERVICE,
        Column(key="wait", head="wait for"),
        Column(key="count", head="measured", unit=""),
        Column(key="p50_s", head="half within", unit="s"),
        Column(key="p90_s", head="90 % within", unit="s"),
        Column(key="p99_s", head="99 % within", unit="s"),
        Column(key="budget_s", head="budget", unit="s"),
        Column(key="from", head="from"),
    )
    return Table(name="latency", title="Waiting times", columns=columns, rows=tuple(rows))


def on_time(evidence: Evidence) -> Table:
    """Requests and tokens on time, late and lost."""
    columns = (
        _SERVICE,
        Column(key="requests", head="requests served", unit=""),
        Column(key="requests_lost", head="lost", unit=""),
        Column(key="tokens_out_tok", head="tokens out", unit="tok"),
        Column(key="tokens_late_tok", head="of these late", unit="tok"),
        Column(key="late_frac", head="late share", unit="frac"),
        Column(key="bits_bit", head="bits on time", unit="bit"),
    )
    rows = tuple(_on_time(s) for s in evidence.figure.services)
    return Table(name="on_time", title="On time, late and lost", columns=columns, rows=rows)


def served(evidence: Evidence) -> Table:
    """Value earned on time over the value had all offered work been on time."""
    fields = (
        ("utility_beq", "value earned on time", "beq"),
        ("offered_beq", "had all been on time", "beq"),
        ("served_share_frac", "served share", "frac"),
    )
    return _by_service(evidence, "served", "Served shares", fields)


def unattributed(evidence: Evidence) -> Table:
    """Joules that no service answers for, by reason."""
    figure = evidence.figure
    total_j = figure.energy_j
    rows = tuple(
        (reason, energy_j, energy_j / total_j if total_j > 0 else None)
        for reason, energy_j in sorted(figure.unattributed_j.items())
    )
    columns = (
        Column(key="reason", head="reason"),
        Column(key="energy_j", head="energy", unit="j"),
        Column(key="share_frac", head="of all energy", unit="frac"),
    )
    title = "Unattributed energy by reason"
    return Table(name="unattributed", title=title, columns=columns, rows=rows)


def nodes(evidence: Evidence) -> Table:
    """Every node of the ledger and whether it counts."""
    inside = set(evidence.figure.inside)
    fields = ("node", "tier", "site", "what", "record")
    rows = [
        ("inside" if r["node"] in inside else "outside", *(str(r[f] or "") for f in fields))
        for r in evidence.nodes
    ]
    # Node first: the row is about it. Inside before outside.
    ordered = sorted(((r[1], r[0], *r[2:]) for r in rows), key=lambda r: (r[1], r[0]))
    columns = (
        Column(key="node", head="node"),
        Column(key="counts", head="counts"),
        *(Column(key=f, head=f) for f in fields[1:]),
    )
    return Table(name="nodes", title="Nodes and the boundary", columns=columns, rows=tuple(ordered))


def profiles(evidence: Evidence) -> Table:
    """The profiles that value the services' work."""
    columns = (
        _SERVICE,
        Column(key="kind", head="kind"),
        Column(key="profile", head="profile"),
        Column(key="weight", head="w", unit=""),
        Column(key="family", head="utility"),
        Column(key="alpha_bit_per_tok", head="\u03b1 (bit/token)", unit=""),
        Column(key="k_in", head="k_in", unit=""),
        Column(key="unit", head="per"),
        Column(key="interval_s", head="mean over", unit="s"),
    )
    rows = tuple(_profile(s) for s in evidence.services.values())
    return Table(name="profiles", title="Profiles", columns=columns, rows=rows)


def origins(evidence: Evidence) -> Table:
    """What the joules come from: measured, modelled or estimated, by source."""
    total_j = sum(float(r["energy_j"]) for r in evidence.origins)
    rows = tuple(
        (
            str(r["source"]),
            str(r["origin"]),
            float(r["energy_j"]),
            float(r["energy_j"]) / total_j if total_j > 0 else None,
        )
        for r in evidence.origins
    )
    columns = (
        Column(key="source", head="source"),
        Column(key="origin", head="origin"),
        Column(key="energy_j", head="energy", unit="j"),
        Column(key="share_frac", head="of all energy", unit="frac"),
    )
    return Table(name="origins", title="Where the joules come from", columns=columns, rows=rows)


def gaps(evidence: Evidence) -> Table:
    """Times that a source did not cover."""
    rows = tuple(
        (str(r["source"]), str(r["quantity"]), float(r["t0_s"]), float(r["t1_s"]),
         str(r["node"] or "all"), str(r["reason"] or "not stated"))
        for r in evidence.gaps
    )  # fmt: skip
    columns = (
        Column(key="source", head="source"),
        Column(key="quantity", head="quantity"),
        Column(key="t0_s", head="from", unit="s"),
        Column(key="t1_s", head="to", unit="s"),
        Column(key="node", head="node"),
        Column(key="reason", head="reason"),
    )
    return Table(name="gaps", title="Gaps in the coverage", columns=columns, rows=rows)


def money(evidence: Evidence) -> Table | Missing:
    """What a joule earns at the stated prices, beside what it costs."""
    prices: dict[str, Any] = (evidence.meta.scenario or {}).get("prices") or {}
    per_bit, tariff = prices.get("data_eur_per_bit"), prices.get("electricity_eur_per_j")
    if per_bit is None and tariff is None:
        return Missing(reason="no prices are stated")
    rows = [
        _earned("earned, TREE x price of a bit", evidence.figure, "tree_beq_per_j", per_bit),
        _earned("earned, by plain bits (EE)", evidence.figure, "ee_bit_per_j", per_bit),
        (
            "paid for electricity",
            Missing(reason="no tariff is stated") if tariff is None else tariff * J_PER_KWH,
        ),
    ]
    columns = (
        Column(key="what", head="per kilowatt-hour"),
        Column(key="eur_per_kwh", head="EUR/kWh", unit=""),
    )
    return Table(name="money", title="Money per kilowatt-hour", columns=columns, rows=tuple(rows))


def sources(evidence: Evidence) -> Table:
    """What each source that wrote rows is, as `tree6g cite` has it."""
    rows = tuple(
        (r.what.removeprefix(EQUATION), r.text)
        for r in evidence.references
        if r.what.startswith(EQUATION)
    )
    columns = (Column(key="source", head="source"), Column(key="reference", head="reference"))
    return Table(name="sources", title="Equations and references", columns=columns, rows=rows)


def _by_service(
    evidence: Evidence, name: str, title: str, fields: Sequence[tuple[str, str, str]]
) -> Table:
    rows = tuple(
        (s.name, *(defined(s, field) for field, _, _ in fields)) for s in evidence.figure.services
    )
    columns = tuple(Column(key=field, head=head, unit=unit) for field, head, unit in fields)
    return Table(name=name, title=title, columns=(_SERVICE, *columns), rows=rows)


def _sorted_waits(evidence: Evidence) -> list[Row]:
    order = {name: i for i, name in enumerate(evidence.services)}
    kinds = list(_WAITS)
    return sorted(
        evidence.percentiles,
        key=lambda r: (order.get(r["service"], len(order)), kinds.index(r["kind"])),
    )


def _wait(row: Row, service: Service | None) -> tuple[Cell, ...]:
    open_end = Missing(reason="beyond the last bucket of the histogram")
    points = (row[p] if row[p] is not None else open_end for p in ("p50_s", "p90_s", "p99_s"))
    origin = "histogram, upper edges" if row["bound"] else "requests"
    kind = str(row["kind"])
    return (
        str(row["service"]), _WAITS[kind], float(row["count"]), *points,
        _budget(kind, service), origin,
    )  # fmt: skip


def _budget(kind: str, service: Service | None) -> Cell:
    if service is None:
        return Missing(reason="the service has no profile")
    p = service.profile
    found = {"ttft": p.ttft_budget_s, "tpot": p.tpot_budget_s, "e2e": p.deadline_s}.get(
        kind, p.delay_budget_s
    )
    return found if found is not None else Missing(reason="the profile sets no such budget")


def _on_time(s: ServiceFigure) -> tuple[Cell, ...]:
    none = Missing(reason="a service of bits, not of requests and tokens")
    has = s.kind == "ai" or s.tokens_out_tok > 0 or s.requests > 0
    late: Cell = Missing(reason="no tokens were delivered")
    if s.tokens_out_tok > 0:
        late = s.tokens_late_tok / s.tokens_out_tok
    tokens = (s.requests, s.requests_lost, s.tokens_out_tok, s.tokens_late_tok, late)
    return (s.name, *(tokens if has else (none,) * len(tokens)), s.bits_bit)


def _profile(service: Service) -> tuple[Cell, ...]:
    p, curve = service.profile, service.profile.curve
    if service.kind != "ai":
        none = Missing(reason="counts bits, not tokens")
        return (service.name, service.kind, p.id, service.weight, "bits", none, none,
                none, none)  # fmt: skip
    return (
        service.name, service.kind, p.id, service.weight, _family(curve), curve.alpha_bit_per_tok,
        p.k_in, p.unit, p.interval_s,
    )  # fmt: skip


def _family(curve: Any) -> str:
    extra = {k: v for k, v in dataclasses.asdict(curve).items() if k in {"t0_tps", "order"} and v}
    names = {"t0_tps": "T0", "order": "order"}
    said = ", ".join(f"{names[k]} = {v:g}" for k, v in extra.items())
    return f"{curve.family} ({said})" if said else str(curve.family)


def _earned(what: str, figure: Figure, field: str, per_bit: float | None) -> tuple[Cell, ...]:
    if per_bit is None:
        return (what, Missing(reason="no price of a bit is stated"))
    cell = defined(figure, field)
    return (what, cell if isinstance(cell, Missing) else float(cell or 0) * per_bit * J_PER_KWH)
