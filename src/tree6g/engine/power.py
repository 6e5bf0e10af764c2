"""Phase 7: the joules of the step, once by cause and once as each node's total."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from tree6g.engine import air, tally, terminal_energy
from tree6g.engine.baseband import BASEBAND
from tree6g.engine.crowd import DOWN, UP
from tree6g.engine.lanes import KINDS
from tree6g.engine.listening import TERMINAL
from tree6g.engine.switch import OFF, STARTING
from tree6g.engine.tally import SHARED
from tree6g.engine.world import Cell, Host, Tick, World, link_node, shared_node
from tree6g.radio import air_step
from tree6g.radio.duty_energy import CellDuties, StationsEnergy, stations_energy
from tree6g.radio.pathloss import FloatArray
from tree6g.radio.sleep import signals_between
from tree6g.transport.link import energy_j as link_energy_j

STATION, ROOFLINE, HOST, LINK, SITE = (
    "station-power", "roofline", "host-power", "link-power", "site-overhead",
)  # fmt: skip


def draw(world: World, tick: Tick) -> None:
    """Energy of cells, servers, links and terminals."""
    _cells(world, _duties(world, tick), tick)
    for host in world.hosts:
        if host.spec is None:
            _terminal_models(world, host)
        else:
            _server(world, host, tick)
    _waiting_baseband(world, tick)
    _links(world, tick)
    terminal_energy.draw(world, tick)


def close_cells(world: World) -> None:
    """The sums of an interval that all cells have, into the book."""
    tally.close(world, STATION, TERMINAL, SITE)


def _duties(world: World, tick: Tick) -> CellDuties:
    """What each cell does in the part of the step in which it is on."""
    from_s = np.array([cell.rest.off_until(tick.t0_s, tick.t1_s) for cell in world.cells])
    stations, cells = air.cells_table(world, tick, np.empty(0, dtype=np.int64))
    cells = cells._replace(from_s=air_step.column(from_s))
    nothing = air_step.no_windows(len(world.cells))
    up, down = (world.windows.get(kind, nothing) for kind in (UP, DOWN))
    did = air_step.duties(cells, stations, up, down, tick.t1_s, workers=world.workers)
    world.windows.clear()
    common = [
        signals_between(cell.rest.station.signals, start_s, tick.t1_s)
        for cell, start_s in zip(world.cells, from_s.tolist(), strict=True)
    ]
    for cell, end_s in zip(world.cells, did.traffic_end_s.tolist(), strict=True):
        cell.rest.traffic_end_s = end_s
    return CellDuties(
        duration_s=tick.t1_s - from_s,
        asleep_s=did.asleep_s,
        entries=did.entries,
        send_s=np.array([signals.send_s for signals in common]),
        listen_s=np.array([signals.listen_s for signals in common]),
    )


def _cells(world: World, did: CellDuties, tick: Tick) -> None:
    """The stations by state; what a service sends or receives carries its name."""
    table, sums, cells = world.lanes, world.tally, world.cells
    used_s = np.zeros((len(KINDS), len(cells)))
    np.add.at(used_s, (table.kind, table.cell), sums.sending_s)  # lane by lane
    _note_carriers(world, did, used_s)
    off_j = np.array([_rest(cell, *row, tick) for cell, row in _rows(world, did)])
    energy = _energies(world, did, *used_s)
    shared_j = np.stack([
        energy.asleep_j + off_j[:, 0],
        energy.awake_j,
        energy.transition_j + off_j[:, 1],
        energy.broadcast_j,
    ])  # fmt: skip
    own = np.array([cell.rest.operator_share_frac for cell in cells])
    pue = np.array([cell.pue for cell in cells])
    traffic_j = np.stack([energy.uplink_j, energy.downlink_j])
    at, active_j = (table.kind, table.cell), np.zeros(len(table))
    np.divide(traffic_j[at] * sums.sending_s, used_s[at], out=active_j, where=used_s[at] > 0.0)
    over = pue - 1.0
    sums.shared_j[:] += np.stack([own * shared_j, over * (own * shared_j)])
    sums.active_j[:] += np.stack([active_j, over[table.cell] * active_j])
    everybody_j = energy.total_j + off_j.sum(axis=1)
    others_j = (1.0 - own) * shared_j.sum(axis=0)
    for cell, total_j in zip(cells, (pue * (everybody_j - others_j)).tolist(), strict=True):
        world.book.integrate(cell.node, total_j)
    for n in np.flatnonzero(others_j).tolist():
        _others(world, cells[n], list(zip(SHARED, shared_j[:, n].tolist(), strict=True)))
    if world.listening is None:
        _terminal_radios(world)
    if world.processors:
        for index in np.unique(table.cell[sums.sending_s > 0.0]).tolist():
            _baseband(world, cells[index])
    sums.sending_s[:] = 0.0
    sums.sender_s[:] = 0.0


def _rows(world: World, did: CellDuties) -> Iterator[tuple[Cell, tuple[float, float]]]:
    """Each cell with the time that it was on and the time of it that it slept."""
    slept_s = did.asleep_s.sum(axis=1).tolist()
    return zip(world.cells, zip(did.duration_s.tolist(), slept_s, strict=True), strict=True)


def _note_carriers(world: World, did: CellDuties, used_s: FloatArray) -> None:
    """Time of the carriers, used and available."""
    band = np.array([cell.band_frac for cell in world.cells])
    for n, kind in enumerate(KINDS):
        time_frac = np.array([cell.carrier(kind).time_frac for cell in world.cells])
        available_s = did.duration_s * time_frac * band
        # Equal but for rounding at full load.
        world.tally.used_s[n] += np.minimum(used_s[n] * band, available_s)
        world.tally.available_s[n] += available_s


def _energies(
    world: World, did: CellDuties, up_s: FloatArray, down_s: FloatArray
) -> StationsEnergy:
    """Energy of all cells, one kind of station after the other."""
    kinds, of = air.station_kinds(world.cells)
    columns = np.empty((len(StationsEnergy._fields), len(world.cells)))
    for n, station in enumerate(kinds):
        rows = np.flatnonzero(of == n)
        some = did.of(rows, len(station.sleep))
        columns[:, rows] = stations_energy(
            station, some, downlink_s=down_s[rows], uplink_s=up_s[rows]
        )
    return StationsEnergy(*columns)


def _rest(cell: Cell, duration_s: float, slept_s: float, tick: Tick) -> tuple[float, float]:
    """Energy of being off and of going there; the step is over."""
    rest = cell.rest
    gone_s = tick.step_s - duration_s
    rest.asleep_s += slept_s + gone_s
    off_j = (rest.whole.off.power_w * gone_s, rest.whole.off.transition_j * rest.entered_off)
    rest.lasted_s += tick.step_s
    rest.entered_off = 0.0
    if rest.off_from_s is not None and rest.up_from_s <= tick.t1_s:
        rest.off_from_s, rest.up_from_s = None, -math.inf
    return off_j


def _others(world: World, cell: Cell, shared: Sequence[tuple[str, float]]) -> None:
    """What the other operators of a shared station pay."""
    node, part = shared_node(cell), 1.0 - cell.rest.operator_share_frac
    for state, joules in shared:
        _spend(world, node, "radio_unit", state, part * joules, STATION, cell.pue)
    world.book.integrate(node, cell.pue * part * sum(joules for _, joules in shared))


def _baseband(world: World, cell: Cell) -> None:
    """Signal processing of the cell's traffic, by service; its demand is accelerator time."""
    processor = world.processors.get(cell.site_index)
    if processor is None:
        return
    total_j = 0.0
    table, sending_s = world.lanes, world.tally.sending_s
    for lane in np.flatnonzero((table.cell == cell.index) & (sending_s > 0.0)).tolist():
        service = table.names[table.service[lane]]
        busy_s = processor.busy_s(cell, float(sending_s[lane]))
        joules = processor.busy_w * busy_s
        world.book.do(processor.node, service, "bit_carried", 0.0, demand=busy_s)
        _spend(
            world, processor.node, "baseband", "active", joules, BASEBAND, cell.pue, service=service
        )
        total_j += joules
    world.book.integrate(processor.node, cell.pue * total_j)


def _waiting_baseband(world: World, tick: Tick) -> None:
    """Accelerators for the baseband alone, drawn whether or not there is traffic."""
    for processor in world.processors.values():
        if not processor.count:
            continue
        host_w = processor.count * processor.spec.host_power_w
        for component, watts, source in (
            ("baseband", processor.constant_w - host_w, BASEBAND),
            ("host", host_w, HOST),
        ):
            _spend(
                world, processor.node, component, "idle", watts * tick.step_s, source, processor.pue
            )
        world.book.integrate(processor.node, processor.pue * processor.constant_w * tick.step_s)


def _terminal_radios(world: World) -> None:
    """Terminals that send; what they draw otherwise is there without these services.

    A terminal puts its power into its part of the band, so it sends for longer than the time of the
    whole carrier that it uses.
    """
    table, sending_w = world.lanes, world.scenario.population.terminal.anchor_power_w
    sent_j = np.where(table.kind == KINDS.index(UP), sending_w * world.tally.sender_s, 0.0)
    world.tally.terminal_j[:] += sent_j
    of_cell_j = np.bincount(table.cell, weights=sent_j, minlength=len(world.cells))
    for index in np.flatnonzero(of_cell_j).tolist():
        world.book.integrate(world.cells[index].terminals, float(of_cell_j[index]))


def _server(world: World, host: Host, tick: Tick) -> None:
    """Idle in context over the whole step, prefill and decode above it, and the host.

    The independent total takes idle power for the time that is not busy, and the whole energy of
    the iterations for the time that is.
    """
    assert host.spec is not None  # noqa: S101 - told apart by the caller
    if host.switch.state == OFF:
        host.switch.off_s += tick.step_s
        return
    used, idle_w = host.used, host.replica.idle_w
    base_w = host.spec.host_power_w * host.spec.count
    waits = "transition" if host.switch.state == STARTING else "idle"
    parts = (
        ("gpu", waits, idle_w * tick.step_s, ROOFLINE),
        ("gpu", "prefill", used.prefill_j, ROOFLINE),
        ("gpu", "decode", used.decode_j, ROOFLINE),
        ("host", waits, base_w * tick.step_s, HOST),
    )
    for component, state, joules, source in parts:
        _spend(world, host.node, component, state, joules, source, host.pue)
    busy_s = used.prefill_s + used.decode_s
    busy_j = used.prefill_j + used.decode_j + idle_w * busy_s
    waiting_j = idle_w * (tick.step_s - busy_s)
    world.book.integrate(host.node, host.pue * (busy_j + waiting_j + base_w * tick.step_s))


def _terminal_models(world: World, host: Host) -> None:
    """Models on terminals: energy above the terminal's own idle, which is there without them."""
    for state, joules in (("prefill", host.used.prefill_j), ("decode", host.used.decode_j)):
        _spend(world, host.node, "npu", state, joules, ROOFLINE)
    total_j = host.used.prefill_j + host.used.decode_j
    if total_j:
        world.book.integrate(host.node, total_j)


def _links(world: World, tick: Tick) -> None:
    """Every site's share of every link, and how full the link has been in its fullest step."""
    by_node: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for (node, service), bit in world.carried_bit.items():
        by_node[node][service] = bit
    for link in world.links:
        nodes = {link_node(site.name, link) for site in world.sites}
        bits = sum(b for (n, _), b in world.carried_bit.items() if n in nodes)
        load_frac = bits / (link.rate_bps * tick.step_s)
        world.link_peak_frac[link.to] = max(load_frac, world.link_peak_frac.get(link.to, 0.0))
        for node in sorted(nodes):
            carried = by_node[node]
            idle_j, active_j = link_energy_j(
                sum(carried.values()),
                tick.step_s,
                idle_power_w=link.idle_power_w / len(nodes),
                energy_j_per_bit=link.energy_j_per_bit,
            )
            _spend(world, node, "link", "idle", idle_j, LINK)
            for service, bit in carried.items():
                joules = link.energy_j_per_bit * bit
                _spend(world, node, "link", "active", joules, LINK, service=service)
            world.book.integrate(node, idle_j + active_j)
    world.carried_bit.clear()


def _spend(
    world: World,
    node: str,
    component: str,
    state: str,
    joules: float,
    source: str,
    pue: float = 1.0,
    *,
    service: str | None = None,
) -> None:
    """A part, and the cooling and power supply that it needs."""
    world.book.spend(node, component, state, joules, source=source, service=service)
    if pue != 1.0:
        overhead_j = (pue - 1.0) * joules
        world.book.spend(node, "cooling", state, overhead_j, source=SITE, service=service)
