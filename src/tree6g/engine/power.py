"""Phase 7: the joules of the step, once by cause and once as each node's total."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tree6g.engine import air, terminal_energy
from tree6g.engine.baseband import BASEBAND
from tree6g.engine.crowd import DOWN, UP
from tree6g.engine.listening import TERMINAL
from tree6g.engine.world import Cell, Host, Tick, World, link_node, shared_node
from tree6g.radio import air_step
from tree6g.radio.sleep import Duty, signals_between, station_energy, station_total_j
from tree6g.transport.link import energy_j as link_energy_j

STATION, ROOFLINE, HOST, LINK, SITE = (
    "station-power", "roofline", "host-power", "link-power", "site-overhead",
)  # fmt: skip


def draw(world: World, tick: Tick) -> None:
    """Energy of cells, servers, links and terminals."""
    for cell, did in zip(world.cells, _duties(world, tick), strict=True):
        _cell(world, cell, did, tick)
    for host in world.hosts:
        if host.spec is None:
            _terminal_models(world, host)
        else:
            _server(world, host, tick)
    _waiting_baseband(world, tick)
    _links(world, tick)
    terminal_energy.draw(world, tick)


def _duties(world: World, tick: Tick) -> list[Duty]:
    """What each cell does in the part of the step in which it is on."""
    from_s = [cell.rest.off_until(tick.t0_s, tick.t1_s) for cell in world.cells]
    stations, cells = air.cells_table(world, tick, np.empty(0, dtype=np.int64))
    cells = cells._replace(from_s=air_step.column(np.array(from_s)))
    nothing = air_step.no_windows(len(world.cells))
    up, down = (world.windows.get(kind, nothing) for kind in (UP, DOWN))
    did = air_step.duties(cells, stations, up, down, tick.t1_s, workers=world.workers)
    world.windows.clear()
    found = []
    for n, cell in enumerate(world.cells):
        station = cell.rest.station
        common = signals_between(station.signals, from_s[n], tick.t1_s)
        found.append(
            Duty(
                duration_s=tick.t1_s - from_s[n],
                asleep_s=did.asleep_s[n, : len(station.sleep)],
                entries=did.entries[n, : len(station.sleep)],
                send_s=common.send_s,
                listen_s=common.listen_s,
                traffic_end_s=float(did.traffic_end_s[n]),
            )
        )
    return found


def _cell(world: World, cell: Cell, did: Duty, tick: Tick) -> None:
    """The station by state; what a service sends or receives carries its name."""
    by_kind = {
        kind: {s: t for (k, s), t in cell.sending_s.items() if k == kind}
        for kind in ("bit_dl", "bit_ul")
    }
    down_s, up_s = (sum(services.values()) for services in by_kind.values())
    for kind, used_s in (("bit_dl", down_s), ("bit_ul", up_s)):
        whole_s = did.duration_s * cell.carrier(kind).time_frac
        world.book.counters.use(cell.node, kind, used_s * cell.band_frac, whole_s * cell.band_frac)
    off_j = _rest(cell, did, tick)
    energy = station_energy(cell.rest.station, did, downlink_s=down_s, uplink_s=up_s)
    shared: list[tuple[str, float]] = [
        ("sleep", energy.asleep_j + off_j[0]),
        ("idle", energy.awake_j),
        ("transition", energy.transition_j + off_j[1]),
        ("broadcast", energy.broadcast_j),
    ]
    own = cell.rest.operator_share_frac
    for state, joules in shared:
        _spend(world, cell.node, "radio_unit", state, own * joules, STATION, cell.pue)
    parts = [("bit_dl", energy.downlink_j, down_s), ("bit_ul", energy.uplink_j, up_s)]
    for kind, joules, total_s in parts:
        for service, used_s in by_kind[kind].items():
            part_j = joules * used_s / total_s
            _spend(
                world, cell.node, "radio_unit", "active", part_j, STATION, cell.pue, service=service
            )
    everybody_j = station_total_j(cell.rest.station, did, downlink_s=down_s, uplink_s=up_s)
    everybody_j += sum(off_j)
    others_j = (1.0 - own) * sum(joules for _, joules in shared)
    world.book.integrate(cell.node, cell.pue * (everybody_j - others_j))
    _others(world, cell, shared, others_j)
    if world.listening is None:
        _terminal_radios(world, cell)
    _baseband(world, cell)
    cell.sending_s.clear()
    cell.sender_s.clear()


def _rest(cell: Cell, did: Duty, tick: Tick) -> tuple[float, float]:
    """Energy of being off and of going there; the step is over."""
    rest = cell.rest
    gone_s = tick.step_s - did.duration_s
    rest.traffic_end_s = did.traffic_end_s
    rest.asleep_s += float(did.asleep_s.sum()) + gone_s
    off_j = (rest.whole.off.power_w * gone_s, rest.whole.off.transition_j * rest.entered_off)
    rest.lasted_s += tick.step_s
    rest.entered_off = False
    if rest.off_from_s is not None and rest.up_from_s <= tick.t1_s:
        rest.off_from_s, rest.up_from_s = None, -math.inf
    return off_j


def _others(world: World, cell: Cell, shared: Sequence[tuple[str, float]], others_j: float) -> None:
    """What the other operators of a shared station pay."""
    if others_j:
        node = shared_node(cell)
        for state, joules in shared:
            part_j = (1.0 - cell.rest.operator_share_frac) * joules
            _spend(world, node, "radio_unit", state, part_j, STATION, cell.pue)
        world.book.integrate(node, cell.pue * others_j)


def _baseband(world: World, cell: Cell) -> None:
    """Signal processing of the cell's traffic, by service; its demand is accelerator time."""
    processor = world.processors.get(cell.site_index)
    if processor is None:
        return
    total_j = 0.0
    for (_, service), used_s in cell.sending_s.items():
        busy_s = processor.busy_s(cell, used_s)
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


def _terminal_radios(world: World, cell: Cell) -> None:
    """Terminals that send; what they draw otherwise is there without these services.

    A terminal puts its power into its part of the band, so it sends for longer than the time of the
    whole carrier that it uses.
    """
    total_j, sending_w = 0.0, world.scenario.population.terminal.anchor_power_w
    for (kind, service), sender_s in cell.sender_s.items():
        joules = sending_w * sender_s if kind == UP else 0.0
        _spend(world, cell.terminals, "terminal", "active", joules, TERMINAL, service=service)
        total_j += joules
    if total_j:
        world.book.integrate(cell.terminals, total_j)


def _server(world: World, host: Host, tick: Tick) -> None:
    """Idle in context over the whole step, prefill and decode above it, and the host.

    The independent total takes idle power for the time that is not busy, and the whole energy of
    the iterations for the time that is.
    """
    assert host.spec is not None  # noqa: S101 - told apart by the caller
    used, idle_w = host.used, host.replica.idle_w
    base_w = host.spec.host_power_w * host.spec.count
    parts = (
        ("gpu", "idle", idle_w * tick.step_s, ROOFLINE),
        ("gpu", "prefill", used.prefill_j, ROOFLINE),
        ("gpu", "decode", used.decode_j, ROOFLINE),
        ("host", "idle", base_w * tick.step_s, HOST),
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
    for link in world.links:
        nodes = {link_node(site.name, link) for site in world.sites}
        bits = sum(b for (n, _), b in world.carried_bit.items() if n in nodes)
        load_frac = bits / (link.rate_bps * tick.step_s)
        world.link_peak_frac[link.to] = max(load_frac, world.link_peak_frac.get(link.to, 0.0))
        for node in sorted(nodes):
            carried = {s: b for (n, s), b in world.carried_bit.items() if n == node}
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
    overhead_j = (pue - 1.0) * joules
    world.book.spend(node, "cooling", state, overhead_j, source=SITE, service=service)
