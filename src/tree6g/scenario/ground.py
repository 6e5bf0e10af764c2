"""What positions, layouts and radio fields of a scenario must have in common."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Final

from tree6g.errors import DataError
from tree6g.radio.broadcast import PERIODS_S
from tree6g.radio.numerology import FR2_FROM_HZ, prb_count, slot_pattern
from tree6g.radio.power import station_power
from tree6g.scenario import outage, topology
from tree6g.scenario.document import Place, Problem
from tree6g.scenario.layout import Layout
from tree6g.scenario.model import AiService, Scenario, Server, Site
from tree6g.scenario.station import BaseStation

RINGS: Final = 18  # most rings of sites of a hexagonal grid: 1,027 sites
MOST_HZ: Final = {"rma": 30e9, "sma": 37e9}  # TR 38.901 clause 7.4.1: where its formulas end


def hexagonal_sites(rings: int) -> int:
    """Sites of a hexagonal grid with some rings around its centre: 1, 7, 19, 37, ..."""
    return 1 + 3 * rings * (rings + 1)


def site_names(scenario: Scenario) -> tuple[str, ...]:
    """Names of the sites, a layout's spelled out; of a random one as many as are expected."""
    layout = scenario.layout
    if layout is None:
        return tuple(site.name for site in scenario.sites)
    if layout.kind == "file":
        return tuple(place.name for place in layout.places)
    count = site_count(scenario)
    return tuple(f"{scenario.sites[0].name}-{n}" for n in range(1, count + 1))


def site_count(scenario: Scenario) -> int:
    """Sites of a scenario, those of its layout spelled out; of a random layout the mean."""
    layout = scenario.layout
    if layout is None:
        return len(scenario.sites)
    return len(layout.places) if layout.kind == "file" else layout.sites


def placed(scenario: Scenario) -> bool:
    """Whether its sites stand somewhere, so that they hear one another."""
    return scenario.layout is not None or scenario.sites[0].position is not None


def problems(scenario: Scenario) -> Iterator[Problem]:
    """Fields that do not go together."""
    if scenario.layout is not None:
        yield from _layout(scenario, scenario.layout)
    elif len({site.position is None for site in scenario.sites}) > 1:
        text = "expected a position for every site or for none; got some."
        yield Problem(place=("sites",), text=text)
    if not placed(scenario):
        yield from _alone(scenario)
    for i, site in enumerate(scenario.sites):
        base = site.base_station
        if base.layers > base.antennas:
            text = f"expected at most {base.antennas} layers, one per antenna; got {base.layers}."
            yield Problem(place=("sites", i, "base_station", "layers"), text=text)
        yield from _periods(i, base)
        yield from _propagation(i, site)
        yield from _station(i, base)
        yield from _directions(scenario, i, base)
    yield from _shared_bands(scenario)
    yield from _terminal(scenario)
    yield from _own_hours(scenario)
    yield from _cell_powers(scenario)
    if scenario.topology is not None:
        clouds = tuple(cloud.name for cloud in scenario.clouds)
        names = site_names(scenario)
        yield from topology.problems(scenario.topology, sites=names, clouds=clouds)
    if scenario.outages:
        there = _servers(scenario)
        servers = [f"{name}.{server.name}" for name, some in there.items() for server in some]
        yield from outage.problems(
            scenario.outages,
            servers=tuple(servers),
            places=tuple(there),
            cells=tuple(_cells(scenario)),
            sites=site_names(scenario),
            step_s=scenario.step_s,
        )


def _servers(scenario: Scenario) -> dict[str, tuple[Server, ...]]:
    """Servers of each site and cloud that has some, a layout's sites spelled out."""
    if scenario.layout is None:
        found = {site.name: site.servers for site in scenario.sites}
    else:
        template, at = scenario.sites[0].servers, scenario.layout.servers_at
        names = enumerate(site_names(scenario), 1)
        found = {name: template if not at or n in at else () for n, name in names}
    found |= {cloud.name: cloud.servers for cloud in scenario.clouds}
    return {name: servers for name, servers in found.items() if servers}


def _cells(scenario: Scenario) -> Iterator[str]:
    """Nodes of all cells, a layout's sites spelled out."""
    layout, template = scenario.layout, scenario.sites[0]
    if layout is None:
        sectors = [site.sectors for site in scenario.sites]
    elif layout.kind == "file":
        sectors = [place.sectors or template.sectors for place in layout.places]
    else:
        sectors = [template.sectors] * site_count(scenario)
    for name, count in zip(site_names(scenario), sectors, strict=True):
        yield from cell_nodes(name, count)


def cell_nodes(site: str, sectors: int) -> tuple[str, ...]:
    """Nodes of the cells of a site in the ledger."""
    if sectors == 1:
        return (f"{site}.cell",)
    return tuple(f"{site}.cell-{n}" for n in range(1, sectors + 1))


def _periods(site: int, base: BaseStation) -> Iterator[Problem]:
    """Periods of broadcast that 3GPP does not have."""
    for name in ("ssb_period", "sib1_period", "rach_period"):
        period_s = getattr(base, f"{name}_s")
        if not any(math.isclose(period_s, known_s, rel_tol=1e-6) for known_s in PERIODS_S):
            known = ", ".join(f"{1e3 * known_s:g}" for known_s in PERIODS_S)
            text = f"expected one of {known} ms (TS 38.331); got {1e3 * period_s:g} ms."
            yield Problem(place=("sites", site, "base_station", name), text=text)


def _propagation(number: int, site: Site) -> Iterator[Problem]:
    """Frequencies that the environment has no formula for."""
    most_hz = MOST_HZ.get(site.environment, math.inf)
    if site.base_station.frequency_hz > most_hz:
        text = (
            f"expected at most {most_hz / 1e9:g} GHz for environment '{site.environment}' (TR "
            f"38.901 7.4.1); got {site.base_station.frequency_hz / 1e9:g} GHz."
        )
        yield Problem(place=("sites", number, "base_station", "frequency"), text=text)


def _station(site: int, base: BaseStation) -> Iterator[Problem]:
    """What its power model or its link refuses, each field for itself."""
    width_hz, model = base.bandwidth_hz, base.model
    checks: dict[str, Callable[[], object]] = {
        "transmit_power": lambda: station_power(
            model, bandwidth_hz=width_hz, anchor_w=1.0, transmit_power_w=base.transmit_power_w
        ),
        "sector_power": lambda: station_power(
            model,
            bandwidth_hz=width_hz,
            anchor_w=1.0,
            transmit_power_w=max(base.sector_power_w, default=None),
        ),
        "carriers": lambda: station_power(
            model, bandwidth_hz=width_hz, anchor_w=1.0, carriers=base.carriers
        ),
        "anchor_power": lambda: station_power(
            model, bandwidth_hz=width_hz, anchor_w=base.anchor_power_w
        ),
    }
    if base.link == "mcs":
        checks["bandwidth"] = lambda: prb_count(
            width_hz, base.subcarrier_hz, frequency_hz=base.frequency_hz, strict=False
        )
    for name, check in checks.items():
        try:
            check()
        except DataError as error:
            yield Problem(place=("sites", site, "base_station", name), text=str(error))


def _directions(scenario: Scenario, site: int, base: BaseStation) -> Iterator[Problem]:
    """Directions that services need and the cell has no time for."""
    if base.slot_pattern is None:
        down_frac, up_frac = base.downlink_frac, 1.0 - base.downlink_frac
        name, got = "downlink_frac", f"{base.downlink_frac:g}"
    else:
        pattern = slot_pattern(base.slot_pattern)
        down_frac, up_frac = pattern.downlink_frac, pattern.uplink_frac
        name, got = "slot_pattern", f"'{base.slot_pattern}'"
    for direction, frac in (("up", up_frac), ("down", down_frac)):
        needing = [
            s.name
            for s in scenario.services
            if isinstance(s, AiService) or s.direction == direction
        ]
        needing += [] if scenario.learning is None else [scenario.learning.name]
        if needing and frac <= 0.0:
            text = f"expected time for the {direction}link of {', '.join(needing)}; got {got}."
            yield Problem(place=("sites", site, "base_station", name), text=text)


def _cell_powers(scenario: Scenario) -> Iterator[Problem]:
    """As many powers as cells, where powers of single cells are given."""
    for number, site in enumerate(scenario.sites):
        given = len(site.base_station.sector_power_w)
        if given not in (0, site.sectors):
            text = f"expected a power for each of {site.sectors} cells; got {given}."
            yield Problem(place=("sites", number, "base_station", "sector_power"), text=text)
    layout = scenario.layout
    if layout is None or not layout.cell_power_w:
        return
    place: Place = ("layout", "cell_power")
    if layout.kind == "poisson":
        yield Problem(place=place, text="expected no powers of cells whose number is random.")
    elif len(layout.cell_power_w) != (count := len(list(_cells(scenario)))):
        text = f"expected a power for each of {count} cells; got {len(layout.cell_power_w)}."
        yield Problem(place=place, text=text)


def _own_hours(scenario: Scenario) -> Iterator[Problem]:
    """Sites with day curves of their own: each there is, once, and with users of its own."""
    layout, count = scenario.layout, site_count(scenario)
    at = layout.day_curves_at if layout is not None else {}
    numbers = [number for some in at.values() for number in some]
    for name, some in at.items():
        for number in some:
            if (number > count and layout is not None and layout.kind != "poisson") or (
                numbers.count(number) > 1
            ):
                text = f"expected sites from 1 to {count}, each once; got {number}."
                yield Problem(place=("layout", "day_curves_at", name), text=text)
    if scenario.population.places and (numbers or any(s.day_curve for s in scenario.sites)):
        text = "expected no places of users where sites have day curves of their own; got some."
        yield Problem(place=("population", "file"), text=text)


def _layout(scenario: Scenario, layout: Layout) -> Iterator[Problem]:
    if len(scenario.sites) > 1 or scenario.sites[0].position is not None:
        text = (
            "expected one site without a position, the template of the layout; got "
            f"{len(scenario.sites)}, or a position. Remove 'layout' to place sites yourself."
        )
        yield Problem(place=("sites",), text=text)
    if layout.kind == "file" and not layout.places:
        text = "expected a file of places; got none. Name one under 'file'."
        yield Problem(place=("layout",), text=text)
    counts = [hexagonal_sites(n) for n in range(RINGS)]
    if layout.kind == "hexagonal" and layout.sites not in counts:
        known = ", ".join(map(str, counts[:6]))
        text = f"expected the sites of whole rings ({known}, ...); got {layout.sites}."
        yield Problem(place=("layout", "sites"), text=text)
    names = [place.name for place in layout.places]
    taken = {*(cloud.name for cloud in scenario.clouds)}
    for n, name in enumerate(names):
        if name in names[:n] or name in taken:
            text = f"expected a name of its own; got '{name}' a second time."
            yield Problem(place=("layout", "places", n, "name"), text=text)


def _alone(scenario: Scenario) -> Iterator[Problem]:
    """What only sites with positions can have."""
    advice = "Give every site a position, or the scenario a layout."
    if scenario.interference == "load":
        text = f"expected positions for 'interference: load'; got none. {advice}"
        yield Problem(place=("interference",), text=text)
    if scenario.population.places:
        text = f"expected positions of sites for users at given places; got none. {advice}"
        yield Problem(place=("population", "file"), text=text)
    if scenario.population.speed_m_per_s > 0.0:
        text = f"expected positions of sites for users who move; got none. {advice}"
        yield Problem(place=("population", "speed"), text=text)
    for i, site in enumerate(scenario.sites):
        if site.sectors > 1:
            text = f"expected a position for a site with sectors; got none. {advice}"
            yield Problem(place=("sites", i, "sectors"), text=text)


def _shared_bands(scenario: Scenario) -> Iterator[Problem]:
    """Cells that disturb one another must use the same band."""
    first: dict[float, BaseStation] = {}
    for i, site in enumerate(scenario.sites):
        base = site.base_station
        same = first.setdefault(base.frequency_hz, base)
        if scenario.interference == "load" and base.bandwidth_hz != same.bandwidth_hz:
            text = (
                f"expected {same.bandwidth_hz / 1e6:g} MHz as at the other sites on "
                f"{base.frequency_hz / 1e9:g} GHz; got {base.bandwidth_hz / 1e6:g} MHz. Change the "
                "frequency, or use 'interference: margin'."
            )
            yield Problem(place=("sites", i, "base_station", "bandwidth"), text=text)


def _terminal(scenario: Scenario) -> Iterator[Problem]:
    """Timers of the terminals' radio, and where its model holds."""
    terminal, place = scenario.population.terminal, ("population", "terminal")
    if terminal.model == "send-only":
        if terminal.drx_cycle_s is not None:
            text = (
                "expected no drx_cycle for terminals that only send; got one. Set 'model: tr38840'."
            )
            yield Problem(place=(*place, "drx_cycle"), text=text)
        return
    if terminal.drx_cycle_s is not None and scenario.scheduling is not None:
        text = (
            "expected terminals that always listen, for a scheduler knows no DRX cycles; got "
            f"{terminal.drx_cycle_s:g} s. Remove it, or 'scheduling'."
        )
        yield Problem(place=(*place, "drx_cycle"), text=text)
    if terminal.drx_cycle_s is not None and terminal.drx_on_s > terminal.drx_cycle_s:
        text = (
            f"expected an on-duration of at most one cycle of {terminal.drx_cycle_s:g} s; got "
            f"{terminal.drx_on_s:g} s."
        )
        yield Problem(place=(*place, "drx_on"), text=text)
    if terminal.release_s < terminal.drx_inactivity_s:
        text = (
            f"expected a release after drx_inactivity, {terminal.drx_inactivity_s:g} s; got "
            f"{terminal.release_s:g} s."
        )
        yield Problem(place=(*place, "release"), text=text)
    for i, site in enumerate(scenario.sites):
        if site.base_station.frequency_hz >= FR2_FROM_HZ:
            text = (
                "expected a frequency below 24.25 GHz for terminals of 'model: tr38840', which "
                f"holds for FR1; got {site.base_station.frequency_hz / 1e9:g} GHz."
            )
            yield Problem(place=("sites", i, "base_station", "frequency"), text=text)
