"""The cells of a run: power model, and how the services share the spectrum."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from tree6g.engine.airtime import Pool
from tree6g.engine.rest import Rest, station_of
from tree6g.engine.world import Carrier, Cell, terminals_node
from tree6g.errors import ScenarioError
from tree6g.scenario.model import AiService, Scenario, Site


def cells(scenario: Scenario, sites: Sequence[Site]) -> Iterator[Cell]:
    """The cells of all sites, site by site.

    Raises:
        ScenarioError: A power model that does not fit, or no spectrum for a service.
    """
    up = [s.name for s in scenario.services if isinstance(s, AiService) or s.direction == "up"]
    down = [s.name for s in scenario.services if isinstance(s, AiService) or s.direction == "down"]
    for index, site in enumerate(sites):
        station = station_of(site)
        yield Cell(
            index=index,
            node=f"{site.name}.cell",
            site=site.name,
            site_index=index,
            pue=site.pue,
            spec=site.base_station,
            station=station,
            rest=Rest.of(station, site.base_station),
            uplink=_uplink(site, up),
            downlink=_downlink(site, down),
            terminals=terminals_node(site.name),
        )


def _uplink(site: Site, services: Sequence[str]) -> Carrier:
    """Reserved parts of the band, and the rest for the others."""
    base = site.base_station
    reserved = {s: f for s, f in base.uplink_share.items() if f > 0.0 and s in services}
    others = tuple(s for s in services if s not in reserved)
    pools = [Pool(frac, (name,)) for name, frac in reserved.items()]
    rest = 1.0 - math.fsum(reserved.values())
    time_frac = 1.0 - base.downlink_frac
    if (others and rest < 1e-6) or (services and time_frac <= 0.0):
        raise ScenarioError(
            f"expected uplink spectrum for {', '.join(others or services)} at site '{site.name}'; "
            "got none. Lower downlink_frac or what uplink_share reserves."
        )
    if others:
        pools.append(Pool(rest, others))
    return Carrier(time_frac=time_frac, pools=tuple(pools))


def _downlink(site: Site, services: Sequence[str]) -> Carrier:
    base = site.base_station
    if services and base.downlink_frac <= 0.0:
        raise ScenarioError(
            f"expected downlink_frac above 0 at site '{site.name}'; got 0. "
            f"{', '.join(services)} needs it."
        )
    return Carrier(time_frac=base.downlink_frac, pools=(Pool(1.0, tuple(services)),))
