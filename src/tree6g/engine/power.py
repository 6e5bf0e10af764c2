"""Phase 7: the joules of the step, once by cause and once as each node's total."""

from __future__ import annotations

from typing import Final

import numpy as np

from tree6g.engine.world import Cell, Host, Tick, World, link_node
from tree6g.radio.airtime import busy_periods
from tree6g.radio.power import SSB_PERIOD_S, station_energy
from tree6g.transport.link import energy_j as link_energy_j

STATION, ROOFLINE, HOST, LINK, SITE, TERMINAL = (
    "station-power", "roofline", "host-power", "link-power", "site-overhead", "terminal-power",
)  # fmt: skip
# What a phone draws while it sends at 23 dBm: typical, not read from one table. Measured models of
# LTE: Jensen et al., VTC Fall 2012; Lauridsen et al., Intel Technology Journal 18(1) 2014.
TERMINAL_SEND_W: Final = 2.5


def draw(world: World, tick: Tick) -> None:
    """Energy of cells, servers, links and terminals."""
    for cell in world.cells:
        _cell(world, cell, tick)
    for host in world.hosts:
        if host.spec is None:
            _terminal_models(world, host)
        else:
            _server(world, host, tick)
    _links(world, tick)


def _cell(world: World, cell: Cell, tick: Tick) -> None:
    """The station by state; what a service sends or receives carries its name."""
    by_kind = {
        kind: {s: t for (k, s), t in cell.sending_s.items() if k == kind}
        for kind in ("bit_dl", "bit_ul")
    }
    down_s, up_s = (sum(services.values()) for services in by_kind.values())
    energy = station_energy(
        cell.station,
        tick.step_s,
        downlink_s=down_s,
        uplink_s=up_s,
        awake_frac=_awake_frac(cell, tick),
    )
    rest = "sleep" if cell.station.resting().name != "none" else "idle"
    parts: list[tuple[str, float, str | None]] = [
        (rest, energy.floor_j, None),
        ("idle", energy.awake_j, None),
        ("transition", energy.transition_j, None),
        ("broadcast", energy.broadcast_j, None),
    ]
    parts += [("active", energy.downlink_j * t / down_s, s) for s, t in by_kind["bit_dl"].items()]
    parts += [("active", energy.uplink_j * t / up_s, s) for s, t in by_kind["bit_ul"].items()]
    for state, joules, service in parts:
        _spend(world, cell.node, "radio_unit", state, joules, STATION, cell.pue, service=service)
    world.book.integrate(cell.node, cell.pue * energy.total_j)
    _terminal_radios(world, cell, by_kind["bit_ul"])
    cell.sending_s.clear()
    cell.windows.clear()


def _awake_frac(cell: Cell, tick: Tick) -> float:
    """Share of SSB periods of the step with traffic."""
    if not cell.windows:
        return 0.0
    start_s, end_s = (np.concatenate(edges) for edges in zip(*cell.windows, strict=True))
    periods = max(1, round(tick.step_s / SSB_PERIOD_S))
    busy = busy_periods(
        start_s, end_s, origin_s=tick.t0_s, period_s=tick.step_s / periods, periods=periods
    )
    return float(busy.mean())


def _terminal_radios(world: World, cell: Cell, sending_s: dict[str, float]) -> None:
    """Terminals that send; what they draw otherwise is there without these services.

    A terminal puts its full power into its part of the band, so it sends for longer than the time
    of the whole carrier that it uses.
    """
    total_j = 0.0
    for service, carrier_s in sending_s.items():
        joules = TERMINAL_SEND_W * carrier_s / cell.uplink.pool_of(service).band_frac
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
