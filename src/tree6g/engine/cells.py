"""The cells of a run: power model, and how the services share the spectrum."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from tree6g.engine import rates
from tree6g.engine.airtime import Pool
from tree6g.engine.crowd import DOWN, UP
from tree6g.engine.rest import Rest, station_of, with_power
from tree6g.engine.world import Carrier, Cell, terminals_node
from tree6g.errors import DataError, ScenarioError
from tree6g.scenario.ground import cell_nodes
from tree6g.scenario.model import AiService, Scenario, Site
from tree6g.scenario.station import BaseStation


def cells(scenario: Scenario, sites: Sequence[Site]) -> Iterator[Cell]:
    """The cells of all sites, site by site.

    Raises:
        ScenarioError: A power model that does not fit, or no spectrum for a service.
    """
    up = [s.name for s in scenario.services if isinstance(s, AiService) or s.direction == "up"]
    down = [s.name for s in scenario.services if isinstance(s, AiService) or s.direction == "down"]
    both = [] if scenario.learning is None else [scenario.learning.name]
    up, down = [*up, *both], [*down, *both]
    index = 0
    known: list[BaseStation] = []
    for site_index, given in enumerate(sites):
        _check_link(given)
        own_w = given.base_station.sector_power_w
        base = (
            given.base_station.model_copy(update={"sector_power_w": ()})
            if own_w
            else given.base_station
        )
        alike = next((other for other in known if other == base), None)
        if alike is None:
            known.append(base)
        # Cells that are alike share one record: their rates are then worked out at once.
        site = given.model_copy(update={"base_station": alike or base})
        for sector in range(site.sectors):
            power_w = own_w[sector] if own_w else base.transmit_power_w
            yield _cell(index, site_index, site, sector, up, down, power_w)
            index += 1


def _cell(
    index: int,
    site_index: int,
    site: Site,
    sector: int,
    up: Sequence[str],
    down: Sequence[str],
    power_w: float | None,
) -> Cell:
    station = station_of(with_power(site, power_w))
    return Cell(
        index=index,
        node=cell_nodes(site.name, site.sectors)[sector],
        site=site.name,
        site_index=site_index,
        pue=site.pue,
        spec=site.base_station,
        station=station,
        rest=Rest.of(station, site.base_station),
        uplink=_uplink(site, up),
        downlink=_downlink(site, down),
        terminals=terminals_node(site.name),
    )


def _check_link(site: Site) -> None:
    """Raise a ScenarioError if the link of a base station cannot be."""
    base = site.base_station
    try:
        for kind in (UP, DOWN):
            rates.rate_bps(base, kind, np.zeros(1))
            if rates.time_frac(base, kind) > 0.0:
                rates.latency_s(base, kind)
    except DataError as error:
        raise ScenarioError(f"base station of site '{site.name}': {error}") from error


def _uplink(site: Site, services: Sequence[str]) -> Carrier:
    """Reserved parts of the band, and the rest for the others."""
    base = site.base_station
    reserved = {s: f for s, f in base.uplink_share.items() if f > 0.0 and s in services}
    others = tuple(s for s in services if s not in reserved)
    in_turn = base.scheduler == "round-robin"
    pools = [Pool(frac, (name,), in_turn) for name, frac in reserved.items()]
    rest = 1.0 - math.fsum(reserved.values())
    time_frac = rates.time_frac(base, UP)
    if (others and rest < 1e-6) or (services and time_frac <= 0.0):
        raise ScenarioError(
            f"expected uplink spectrum for {', '.join(others or services)} at site '{site.name}'; "
            "got none. Lower downlink_frac, change slot_pattern or reserve less by uplink_share."
        )
    if others:
        pools.append(Pool(rest, others, in_turn))
    latency_s = rates.latency_s(base, UP) if services else 0.0
    return Carrier(time_frac=time_frac, latency_s=latency_s, pools=tuple(pools))


def _downlink(site: Site, services: Sequence[str]) -> Carrier:
    base = site.base_station
    time_frac = rates.time_frac(base, DOWN)
    if services and time_frac <= 0.0:
        raise ScenarioError(
            f"expected downlink_frac above 0 at site '{site.name}'; got 0. "
            f"{', '.join(services)} needs it."
        )
    latency_s = rates.latency_s(base, DOWN) if services else 0.0
    pools = (Pool(1.0, tuple(services), base.scheduler == "round-robin"),)
    return Carrier(time_frac=time_frac, latency_s=latency_s, pools=pools)
