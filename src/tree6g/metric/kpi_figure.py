"""Records of the radio access network's key figures, and the names that standards give them.

A value that is not defined or not known is None; `reasons` says why under the name of the field.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from tree6g.metric.delay import Delay
from tree6g.metric.throughput import Throughput

# Names of 3GPP beside ours, with the unit there. Clauses of TS 28.552 as public code cites them;
# the counter of late bits, the percentiles and Jain's index have no name there.
STANDARD_NAMES: Final[Mapping[str, str]] = {
    "ee_ran_bit_per_j": "EE_MN,DV (ETSI ES 203 228); NG-RAN data EE (TS 28.554 6.7.1), bit/J",
    "bits_dl_bit": "DRB.PdcpSduVolumeDL (TS 28.552 5.1.2.1.1.1), Mbit",
    "bits_ul_bit": "DRB.PdcpSduVolumeUL (TS 28.552 5.1.2.1.2.1), Mbit",
    "energy_ran_j": "PEE.Energy (TS 28.552 5.1.1.19.3), kWh",
    "power_w": "PEE.AvgPower (TS 28.552 5.1.1.19.2.1), W",
    "prb_dl_frac": "RRU.PrbTotDl (TS 28.552 5.1.1.2.1), %; per slice RRU.PrbUsedDl over PrbAvailDl",
    "prb_ul_frac": "RRU.PrbTotUl (TS 28.552 5.1.1.2.2), %; per slice RRU.PrbUsedUl over PrbAvailUl",
    "throughput_dl": "DRB.UEThpDl, DRB.UEThpDlDist (TS 28.552 5.1.1.3.1, .2), kbit/s",
    "throughput_ul": "DRB.UEThpUl, DRB.UEThpUlDist (TS 28.552 5.1.1.3.3, .4), kbit/s",
    "packet_dl": "DRB.DelayDlNgranUeDist (TS 28.552 5.1.1.1.6)",
    "packet_ul": "DRB.DelayUlNgranUeIncD1Dist (TS 28.552 5.1.1.1.7.2)",
    "energy_j": "E of a QoS flow or S-NSSAI (TS 23.501 Rel-19, energy annex), J",
    "ee_bit_per_j": "EE of a network slice, data volume over energy (TS 28.554 6.7.2.2), bit/J",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CellKpi:
    """One node of the access network.

    Attributes:
        node: The node.
        site: Its site, that is, its gNB.
        bits_dl_bit: Delivered bits of the downlink.
        bits_ul_bit: Delivered bits of the uplink.
        energy_ran_j: Its energy.
        power_w: Mean power over the covered time.
        ee_ran_bit_per_j: Bits over energy.
        prb_dl_frac: Used share of the available physical resource blocks, downlink.
        prb_ul_frac: The same, uplink.
        reasons: Why a field is None, by field.
    """

    node: str
    site: str
    bits_dl_bit: float | None
    bits_ul_bit: float | None
    energy_ran_j: float | None
    power_w: float | None
    ee_ran_bit_per_j: float | None
    prb_dl_frac: float | None
    prb_ul_frac: float | None
    reasons: Mapping[str, str]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FlowKpi:
    """One service as a QoS flow.

    Attributes:
        name: The service.
        kind: `ai`, `data` or `internal`.
        slice: S-NSSAI.
        qos: 5QI.
        bits_dl_bit: Delivered bits of the downlink.
        bits_ul_bit: Delivered bits of the uplink.
        late_bit: Bits that came after their delay budget.
        energy_ran_j: Its part of the gNBs' energy, by data volume.
        energy_upf_j: Its part of the user-plane functions' energy, by data volume.
        energy_j: Both together; without user-plane functions in the ledger, of gNBs alone.
        ee_bit_per_j: Bits over `energy_j`.
        prb_dl_frac: Physical resource blocks that it used, of those available, downlink.
        prb_ul_frac: The same, uplink.
        packet_dl: Delay of packets, downlink.
        packet_ul: The same, uplink.
        packet: Both directions together.
        ttft: Time to first token.
        throughput_dl: Throughput of its users, downlink.
        throughput_ul: The same, uplink.
        reasons: Why a field is None, by field.
    """

    name: str
    kind: str
    slice: str | None
    qos: int | None
    bits_dl_bit: float | None
    bits_ul_bit: float | None
    late_bit: float | None
    energy_ran_j: float | None
    energy_upf_j: float | None
    energy_j: float | None
    ee_bit_per_j: float | None
    prb_dl_frac: float | None
    prb_ul_frac: float | None
    packet_dl: Delay
    packet_ul: Delay
    packet: Delay
    ttft: Delay
    throughput_dl: Throughput
    throughput_ul: Throughput
    reasons: Mapping[str, str]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SliceKpi:
    """A slice with all services in it; fields as those of `FlowKpi`."""

    name: str
    services: tuple[str, ...]
    bits_dl_bit: float | None
    bits_ul_bit: float | None
    late_bit: float | None
    energy_ran_j: float | None
    energy_upf_j: float | None
    energy_j: float | None
    ee_bit_per_j: float | None
    prb_dl_frac: float | None
    prb_ul_frac: float | None
    throughput_dl: Throughput
    throughput_ul: Throughput
    reasons: Mapping[str, str]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Kpis:
    """Key figures of a ledger's access network.

    Attributes:
        t0_s: Start of the window.
        t1_s: End of the window.
        covered_s: Time of it that every source of the boundary covered.
        ee_ran_bit_per_j: Data volume over energy, late bits included.
        ee_ran_on_time_bit_per_j: The same without late bits: a figure's EE_ran in boundary `ran`.
        bits_dl_bit: Delivered bits of the downlink.
        bits_ul_bit: Delivered bits of the uplink.
        late_bit: Of these, late ones.
        energy_ran_j: Energy of the access network.
        unattributed_j: Of this, energy of gNBs that carried no bits: of no flow.
        energy_upf_j: Energy of user-plane functions.
        prb_dl_frac: Used share of the available physical resource blocks, downlink.
        prb_ul_frac: The same, uplink.
        throughput_dl: Throughput of users over all services, downlink.
        throughput_ul: The same, uplink.
        cells: Nodes of the access network.
        flows: Services, each as a QoS flow.
        slices: Slices that services state.
        reasons: Why a field is None, by field.
    """

    t0_s: float
    t1_s: float
    covered_s: float
    ee_ran_bit_per_j: float | None
    ee_ran_on_time_bit_per_j: float | None
    bits_dl_bit: float | None
    bits_ul_bit: float | None
    late_bit: float | None
    energy_ran_j: float | None
    unattributed_j: float | None
    energy_upf_j: float | None
    prb_dl_frac: float | None
    prb_ul_frac: float | None
    throughput_dl: Throughput
    throughput_ul: Throughput
    cells: tuple[CellKpi, ...]
    flows: tuple[FlowKpi, ...]
    slices: tuple[SliceKpi, ...]
    reasons: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Plain data with the keys of the command's `--json`."""
        return dataclasses.asdict(self) | {"standard_names": dict(STANDARD_NAMES)}
