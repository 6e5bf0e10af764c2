"""Tables of the radio access network's key figures, with the names of 3GPP beside ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from tree6g.metric.delay import Delay
from tree6g.metric.kpi_figure import STANDARD_NAMES, CellKpi, FlowKpi, Kpis, SliceKpi
from tree6g.metric.throughput import Throughput
from tree6g.report.numerals import NBSP, quantity
from tree6g.report.tables import Cell, Column, Missing, Table

ABOUT: Final = (
    "Energy and bits inside boundary ran, over the time that all its sources covered. EE_ran "
    "counts every delivered bit, late ones too; the headline's EE_ran leaves late ones out."
)
BY_VOLUME: Final = (
    "A flow's energy is the gNB's times its share of the data volume (TS 23.501, energy annex), so "
    "flows of one gNB have one EE; what a service's rate and airtime cost shows in the services' "
    "table above. A service is one QoS flow, a site's cells are one gNB."
)
FROM_BUCKETS: Final = (
    "A throughput sample is one user in one interval of the ledger: bits over the time in which it "
    "had something to send, waiting included. Percentiles are upper edges of the ledger's buckets, "
    "at most 2.9 % above the event in ledgers of the simulator."
)
_TOTALS: Final = (
    ("ee_ran_bit_per_j", "EE_ran, all delivered bits", "bit_per_j"),
    ("ee_ran_on_time_bit_per_j", "EE_ran, bits on time", "bit_per_j"),
    ("bits_dl_bit", "data volume, downlink", "bit"),
    ("bits_ul_bit", "data volume, uplink", "bit"),
    ("late_bit", "of these late", "bit"),
    ("energy_ran_j", "energy of the access network", "j"),
    ("unattributed_j", "of this at gNBs without traffic", "j"),
    ("energy_upf_j", "energy of user-plane functions", "j"),
    ("prb_dl_frac", "PRB use, downlink", "frac"),
    ("prb_ul_frac", "PRB use, uplink", "frac"),
)
_SHARED: Final = (
    ("bits_dl_bit", "bits down", "bit"),
    ("bits_ul_bit", "bits up", "bit"),
    ("energy_j", "energy by volume", "j"),
    ("ee_bit_per_j", "EE", "bit_per_j"),
    ("prb_dl_frac", "PRB down", "frac"),
    ("prb_ul_frac", "PRB up", "frac"),
)
_CELL: Final = (
    ("bits_dl_bit", "bits down", "bit"),
    ("bits_ul_bit", "bits up", "bit"),
    ("energy_ran_j", "energy", "j"),
    ("power_w", "mean power", "w"),
    ("ee_ran_bit_per_j", "EE_ran", "bit_per_j"),
    ("prb_dl_frac", "PRB down", "frac"),
    ("prb_ul_frac", "PRB up", "frac"),
)
_THROUGHPUT: Final = (
    ("samples", "samples", ""),
    ("mean_bps", "mean", "bps"),
    ("p5_bps", "5 % below", "bps"),
    ("p50_bps", "half below", "bps"),
    ("p95_bps", "95 % below", "bps"),
    ("jain", "Jain", ""),
)
_DELAY: Final = (
    ("count", "measured", ""),
    ("mean_s", "mean", "s"),
    ("p50_s", "half within", "s"),
    ("p95_s", "95 % within", "s"),
    ("p99_s", "99 % within", "s"),
)
_WAITS: Final = (
    ("packet_dl", "downlink packet"),
    ("packet_ul", "uplink packet"),
    ("ttft", "first token (TTFT)"),
)


def tables(kpis: Kpis) -> list[Table]:
    """All of them; empty ones too, so that their absence says nothing."""
    return [totals(kpis), cells(kpis), flows(kpis), slices(kpis), throughput(kpis), delays(kpis)]


def totals(kpis: Kpis) -> Table:
    """The whole access network."""
    rows = []
    for field, name, unit in _TOTALS:
        cell = _cell(kpis, field)
        shown = cell if not isinstance(cell, float) else quantity(cell, unit).replace(NBSP, " ")
        rows.append((name, shown, STANDARD_NAMES.get(field, ""), field, cell))
    columns = (
        Column(key="figure", head="figure"),
        Column(key="shown", head="value"),
        Column(key="standard", head="name of the standards"),
        Column(key="field", head="field"),
        Column(key="value_si", head="SI value", unit=""),
    )
    return Table(name="kpi", title="The access network", columns=columns, rows=tuple(rows))


def cells(kpis: Kpis) -> Table:
    """Every node of the access network."""
    rows = tuple((c.node, c.site, *_cells(c, _CELL)) for c in kpis.cells)
    head = (Column(key="node", head="node"), Column(key="site", head="site (gNB)"))
    return Table(name="kpi_cells", title="Cells", columns=(*head, *_columns(_CELL)), rows=rows)


def flows(kpis: Kpis) -> Table:
    """Every service as a QoS flow."""
    rows = tuple(
        (f.name, f.slice or "", "" if f.qos is None else str(f.qos), *_cells(f, _SHARED))
        for f in kpis.flows
    )
    head = (
        Column(key="service", head="service"),
        Column(key="slice", head="slice"),
        Column(key="qos", head="5QI"),
    )
    return Table(
        name="kpi_flows", title="QoS flows", columns=(*head, *_columns(_SHARED)), rows=rows
    )


def slices(kpis: Kpis) -> Table:
    """Every slice that a service states."""
    rows = tuple((s.name, ", ".join(s.services), *_cells(s, _SHARED)) for s in kpis.slices)
    head = (Column(key="slice", head="slice"), Column(key="services", head="services"))
    return Table(name="kpi_slices", title="Slices", columns=(*head, *_columns(_SHARED)), rows=rows)


def throughput(kpis: Kpis) -> Table:
    """Throughput of users by service, slice and over all, in directions that have any."""
    named = [(f"slice {s.name}", s) for s in kpis.slices]
    groups: list[tuple[str, Any]] = [(f.name, f) for f in kpis.flows]
    groups += [*named, ("all services", kpis)]
    rows = tuple(
        (name, direction, *_cells(found, _THROUGHPUT))
        for name, group in groups
        for direction, found in (("down", group.throughput_dl), ("up", group.throughput_ul))
        if found.samples > 0
    )
    head = (Column(key="service", head="service"), Column(key="direction", head="direction"))
    return Table(
        name="kpi_throughput",
        title="Throughput of users",
        columns=(*head, *_columns(_THROUGHPUT)),
        rows=rows,
    )


def delays(kpis: Kpis) -> Table:
    """Packet delay and time to first token by service, where there are any."""
    rows = tuple(
        (f.name, what, *_cells(getattr(f, field), _DELAY))
        for f in kpis.flows
        for field, what in _WAITS
        if getattr(f, field).count > 0
    )
    head = (Column(key="service", head="service"), Column(key="wait", head="wait for"))
    return Table(name="kpi_delays", title="Delays", columns=(*head, *_columns(_DELAY)), rows=rows)


def _columns(fields: Sequence[tuple[str, str, str]]) -> tuple[Column, ...]:
    return tuple(Column(key=key, head=head, unit=unit) for key, head, unit in fields)


def _cells(
    record: CellKpi | FlowKpi | SliceKpi | Throughput | Delay,
    fields: Sequence[tuple[str, str, str]],
) -> tuple[Cell, ...]:
    return tuple(_cell(record, field) for field, _, _ in fields)


def _cell(record: Any, field: str) -> Cell:
    value = getattr(record, field)
    if value is None:
        return Missing(reason=record.reasons.get(field, "not known"))
    return float(value)
