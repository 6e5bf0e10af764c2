"""What a cell draws for its downlink: from the ledger of a run and the model of its station."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping

from tree6g.engine import rates
from tree6g.engine.crowd import DOWN
from tree6g.engine.rest import station_of, with_power
from tree6g.engine.run import RunResult
from tree6g.engine.world import Cell
from tree6g.scenario.model import Site


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """What a cell draws for its downlink, site overhead included.

    Attributes:
        power_w: Radiated power today.
        most_w: Radiated power at most.
        base_w: Power above rest while it sends, whatever the power, c0.
        per_w: Watts per radiated watt, c1.
        cover_w: Radiated power at least: no terminal that is covered today may lose coverage.
        beacon_s: Time of broadcast in the run.
        beacon_per_w: Watts of broadcast per radiated watt.
        used_s: Time that it sent in the run.
        time_frac: Share of time of the downlink.
    """

    power_w: float
    most_w: float
    cover_w: float
    base_w: float
    per_w: float
    beacon_s: float
    beacon_per_w: float
    used_s: float
    time_frac: float


def sums(result: RunResult, table: str, keys: str, value: str) -> dict[tuple[str, ...], float]:
    """Sums of a table by some columns; what has no service has an empty one."""
    rows = result.ledger.query(f"SELECT {keys}, sum({value}) AS s FROM {table} GROUP BY ALL")
    columns = [rows[name.strip()].to_pylist() for name in keys.split(",")]
    sums: dict[tuple[str, ...], float] = defaultdict(float)
    for *key, total in zip(*columns, rows["s"].to_pylist(), strict=True):
        sums[tuple(str(part or "") for part in key)] += float(total or 0.0)
    return sums


def sending_of(
    site: Site,
    cell: Cell,
    energy: Mapping[tuple[str, ...], float],
    sent: Mapping[tuple[str, ...], float],
    seconds: float,
    margin_db: float,
) -> Sending:
    """Joules of the downlink over the radiated power, from the station's power at two of them.

    Args:
        site: Site of the cell.
        cell: The cell.
        energy: Joules of the run by node, component, state and service.
        sent: Seconds of the cell's carrier by kind of bits and service.
        seconds: Length of the run.
        margin_db: By how much the power may fall without loss of coverage.
    """
    station, half = cell.station, 0.5 * cell.station.transmit_power_w
    lower, most = (station_of(with_power(site, power_w)) for power_w in (half, None))
    per_w = (station.downlink_w - lower.downlink_w) / half
    beacon_per_w = (station.broadcast_w - lower.broadcast_w) / half
    down_s, up_s = (sum(s for key, s in sent.items() if key[0] == k) for k in (DOWN, "bit_ul"))
    states: dict[str, float] = defaultdict(float)
    for (node, component, state, _), joules in energy.items():
        if node == cell.node and component == "radio_unit":
            states[state] += joules
    shared_j = states["idle"] + states["sleep"] + states["transition"]
    busy_s = min(down_s + up_s, 0.999 * seconds)
    rest_w = (shared_j - station.awake_w * busy_s) / (seconds - busy_s)
    rest_w = min(max(rest_w, 0.0), station.awake_w)
    beacon_w = station.broadcast_w - station.awake_w
    return Sending(
        power_w=station.transmit_power_w,
        most_w=most.transmit_power_w,
        cover_w=station.transmit_power_w * 10.0 ** (-margin_db / 10.0),
        base_w=site.pue * max(station.downlink_w - per_w * station.transmit_power_w - rest_w, 0.0),
        per_w=site.pue * per_w,
        beacon_s=states["broadcast"] / beacon_w if beacon_w > 0.0 else 0.0,
        beacon_per_w=site.pue * beacon_per_w,
        used_s=down_s,
        time_frac=rates.time_frac(cell.spec, DOWN),
    )
