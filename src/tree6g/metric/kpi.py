"""Key figures of the radio access network under the names that standards give them.

All are queries on the ledger, so a measured one gives the same. Energy and data volume are taken
inside boundary `ran` over the time that every source of it covered; histograms and the use of
carriers over the window.

- EE_ran: data volume of PDCP SDUs, both directions, over the energy of the access network. ETSI
  ES 203 228 clause 5.3 (EE_MN,DV), 3GPP TS 28.554 clause 6.7.1. Late bits count in it; a figure's
  EE_ran, of the same boundary, leaves them out.
- Per slice and QoS flow: E_x = sum over gNBs of E_gNB DV_x,gNB / DV_gNB, and the same over UPFs;
  3GPP TS 23.501 (Rel-19), informative annex on energy information. T is the window; a gNB is what
  boundary `ran` holds at one site, a UPF a node of tier `core`.
- Per slice EE: data volume of the slice over that energy, the form of TS 28.554 clause 6.7.2.2 seen
  from the access network.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

from tree6g.ledger.reading import Ledger, sql_errors
from tree6g.metric import coverage, uncertainty
from tree6g.metric.cells import Book, open_book
from tree6g.metric.delay import PACKET, Delays, delay_of, read_delays
from tree6g.metric.figure import Query
from tree6g.metric.kpi_figure import CellKpi, FlowKpi, Kpis, SliceKpi
from tree6g.metric.part import ratio
from tree6g.metric.radio_sums import Radio, read_radio, split
from tree6g.metric.throughput import Throughputs, read_throughputs, throughput_of

Values = dict[str, float | None]
_BITS = ("bit_dl", "bit_ul")
_NO_UPF = "the ledger has no node of tier core, where user-plane functions are"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Evidence:
    """What the key figures are made of.

    Attributes:
        book: The ledger inside boundary `ran`.
        radio: Its sums.
        delays: Waiting times.
        throughputs: Throughput of users.
        covered_s: Covered time of the window.
        why: Why energy and bits are not known, None if they are.
        flow_j: Energy of the gNBs by service.
        loose_j: Energy of gNBs without bits.
        upf_j: Energy of user-plane functions by service, None if not known.
        upf_total_j: All of it.
        no_upf: Why it is not known.
    """

    book: Book
    radio: Radio
    delays: Delays
    throughputs: Throughputs
    covered_s: float
    why: str | None
    flow_j: Mapping[str, float]
    loose_j: float
    upf_j: Mapping[str, float] | None
    upf_total_j: float | None
    no_upf: str


def kpis(ledger: Ledger, query: Query | None = None) -> Kpis:
    """Key figures of the radio access network in a window.

    Args:
        ledger: Simulated or measured.
        query: Its window; the boundary is always `ran`, the attribution that of TS 23.501.

    Raises:
        LedgerError: Rows of nodes or services that the ledger does not describe.
    """
    asked = dataclasses.replace(query or Query(), boundary="ran")
    with sql_errors(ledger.path):
        return _take(_gather(ledger, asked))


def _gather(ledger: Ledger, asked: Query) -> _Evidence:
    book = open_book(ledger, asked, cells=False)
    span = (book.t0_s, book.t1_s)
    radio = read_radio(book)
    flow_j, loose_j = split(radio.energy_j, radio.volume_bit, radio.site)
    upf_j, upf_total_j, no_upf = _upf(ledger, asked, book)
    return _Evidence(
        book=book,
        radio=radio,
        delays=read_delays(book.connection, span),
        throughputs=read_throughputs(book.connection, span),
        covered_s=coverage.length_s(coverage.intersection(book.cover, [span])),
        why=_unknown(book),
        flow_j=flow_j,
        loose_j=loose_j,
        upf_j=upf_j,
        upf_total_j=upf_total_j,
        no_upf=no_upf,
    )


def _upf(
    ledger: Ledger, asked: Query, book: Book
) -> tuple[Mapping[str, float] | None, float | None, str]:
    """Energy of the nodes of tier core by service, over their own covered time."""
    if not book.rows("SELECT 1 FROM entity WHERE tier = 'core' LIMIT 1"):
        return None, None, _NO_UPF
    window = dataclasses.replace(asked, boundary="network", t0_s=book.t0_s, t1_s=book.t1_s)
    wide = open_book(ledger, window, cells=False)
    why = _unknown(wide)
    radio = read_radio(wide, carried=True)
    core = {node for node, tier in radio.tier.items() if tier == "core"}
    energy_j = {node: joules for node, joules in radio.energy_j.items() if node in core}
    volume_bit = {key: bits for key, bits in radio.volume_bit.items() if key[0] in core}
    if why or not energy_j:
        return None, None, why or "the ledger has no energy of user-plane functions"
    by_service, _ = split(energy_j, volume_bit, {n: n for n in core})
    return by_service, math.fsum(energy_j.values()), ""


def _unknown(book: Book) -> str | None:
    """Why energy and bits of a boundary are not known, if they are not."""
    if not book.inside:
        return f"no node of the ledger is inside boundary {book.query.boundary}"
    if not book.cover:
        return "no time is covered by every source (table coverage)"
    unstated = uncertainty.sources_without_coverage(book)
    return f"source '{unstated[0]}' does not state what time it covered" if unstated else None


def _take(e: _Evidence) -> Kpis:
    radio = e.radio
    dl_bit, ul_bit, late_bit = (radio.total_bit(kind) for kind in (*_BITS, "bit_late"))
    energy_j = math.fsum(radio.energy_j.values())
    summed: Values = {
        "bits_dl_bit": dl_bit,
        "bits_ul_bit": ul_bit,
        "late_bit": late_bit,
        "energy_ran_j": energy_j,
        "unattributed_j": e.loose_j,
        "ee_ran_bit_per_j": ratio(dl_bit + ul_bit, energy_j),
        "ee_ran_on_time_bit_per_j": ratio(dl_bit + ul_bit - late_bit, energy_j),
    }
    no_energy = "the ledger has no energy of a radio access network"
    values, reasons = _known(e, summed, dict.fromkeys(summed, no_energy))
    more, more_reasons = _prb(e)
    if e.upf_total_j is None:
        more_reasons["energy_upf_j"] = e.no_upf
    services = list(e.book.services)
    return Kpis(
        t0_s=e.book.t0_s,
        t1_s=e.book.t1_s,
        covered_s=e.covered_s,
        energy_upf_j=e.upf_total_j,
        throughput_dl=throughput_of(e.throughputs, services, "dl"),
        throughput_ul=throughput_of(e.throughputs, services, "ul"),
        cells=tuple(_cell(e, node) for node in sorted(radio.site)),
        flows=tuple(_flow(e, name) for name in services),
        slices=_slices(e),
        reasons=reasons | more_reasons,
        **values,
        **more,
    )


def _known(e: _Evidence, values: Values, why: Mapping[str, str]) -> tuple[Values, dict[str, str]]:
    """Values that rest on covered rows, none of them if there is no coverage, with the reasons."""
    if e.why is not None:
        return dict.fromkeys(values), dict.fromkeys(values, e.why)
    return values, {name: why[name] for name, value in values.items() if value is None}


def _prb(
    e: _Evidence, node: str | None = None, services: tuple[str, ...] | None = None
) -> tuple[Values, dict[str, str]]:
    """Use of physical resource blocks by direction; of services, what they used together."""
    values: Values = {}
    reasons = {}
    for direction in ("dl", "ul"):
        parts = [
            e.radio.prb_frac(direction, node=node, service=service)
            for service in (services if services is not None else (None,))
        ]
        known = [part for part in parts if part is not None]
        name = f"prb_{direction}_frac"
        values[name] = math.fsum(known) if parts and len(known) == len(parts) else None
        if values[name] is None:
            reasons[name] = _prb_reason(e, node, direction)
    return values, reasons


def _prb_reason(e: _Evidence, node: str | None, direction: str) -> str:
    found = [s for (n, d), s in e.radio.available_s.items() if d == direction and node in {None, n}]
    if not found:
        return "the ledger does not state the use of carriers (table prb)"
    if not math.fsum(found) > 0:
        return "no carrier was available in this direction"
    return "the use of the carriers is not told apart by service"


def _cell(e: _Evidence, node: str) -> CellKpi:
    radio = e.radio
    dl_bit, ul_bit = (radio.node_bit.get((node, kind), 0.0) for kind in _BITS)
    energy_j = radio.energy_j.get(node)
    summed: Values = {
        "bits_dl_bit": dl_bit,
        "bits_ul_bit": ul_bit,
        "energy_ran_j": energy_j,
        "power_w": ratio(energy_j, e.covered_s),
        "ee_ran_bit_per_j": ratio(dl_bit + ul_bit, energy_j),
    }
    no_energy = "the ledger has no energy of the node"
    values, reasons = _known(e, summed, dict.fromkeys(summed, no_energy))
    more, more_reasons = _prb(e, node=node)
    return CellKpi(
        node=node, site=radio.site[node], reasons=reasons | more_reasons, **values, **more
    )


def _share(e: _Evidence, services: tuple[str, ...]) -> tuple[Values, dict[str, str]]:
    """Bits, energy and use of carriers of a service or of those of a slice."""
    dl_bit, ul_bit, late_bit = (
        math.fsum(e.radio.service_bit.get((s, kind), 0.0) for s in services)
        for kind in (*_BITS, "bit_late")
    )
    ran_j = math.fsum(e.flow_j.get(s, 0.0) for s in services)
    upf_j = None if e.upf_j is None else math.fsum(e.upf_j.get(s, 0.0) for s in services)
    energy_j = ran_j + (upf_j or 0.0)
    summed: Values = {
        "bits_dl_bit": dl_bit,
        "bits_ul_bit": ul_bit,
        "late_bit": late_bit,
        "energy_ran_j": ran_j,
        "energy_upf_j": upf_j,
        "energy_j": energy_j,
        "ee_bit_per_j": ratio(dl_bit + ul_bit, energy_j),
    }
    why = {"energy_upf_j": e.no_upf, "ee_bit_per_j": "no energy goes to it"}
    values, reasons = _known(e, summed, why)
    more, more_reasons = _prb(e, services=services)
    return values | more, reasons | more_reasons


def _flow(e: _Evidence, name: str) -> FlowKpi:
    values, reasons = _share(e, (name,))
    service = e.book.services[name]
    qos = e.book.ledger.meta.services[name].get("qos")
    return FlowKpi(
        name=name,
        kind=service.kind,
        slice=service.slice,
        qos=None if qos is None else int(qos),
        packet_dl=delay_of(e.delays, name, "packet_dl"),
        packet_ul=delay_of(e.delays, name, "packet_ul"),
        packet=delay_of(e.delays, name, PACKET),
        ttft=delay_of(e.delays, name, "ttft"),
        throughput_dl=throughput_of(e.throughputs, [name], "dl"),
        throughput_ul=throughput_of(e.throughputs, [name], "ul"),
        reasons=reasons,
        **values,
    )


def _slices(e: _Evidence) -> tuple[SliceKpi, ...]:
    members: dict[str, list[str]] = {}
    for service in e.book.services.values():
        if service.slice is not None:
            members.setdefault(service.slice, []).append(service.name)
    found = []
    for name, services in sorted(members.items()):
        values, reasons = _share(e, tuple(services))
        found.append(
            SliceKpi(
                name=name,
                services=tuple(services),
                throughput_dl=throughput_of(e.throughputs, services, "dl"),
                throughput_ul=throughput_of(e.throughputs, services, "ul"),
                reasons=reasons,
                **values,
            )
        )
    return tuple(found)
