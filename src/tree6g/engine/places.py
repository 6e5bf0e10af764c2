"""The sites of a run with their places, and the radio networks that they make."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from tree6g.radio import layout
from tree6g.radio.antenna import Antenna
from tree6g.radio.layout import Layout
from tree6g.scenario import ground
from tree6g.scenario.layout import Layout as Described
from tree6g.scenario.layout import Place, Position
from tree6g.scenario.model import Scenario, Site
from tree6g.scenario.quantities import packaged_curve
from tree6g.scenario.station import BaseStation

ELEMENTS: Final = 10  # of a sector's column, TR 38.901 Table 7.8-1
FIRST_DEG: Final = 30.0  # bearing of the first sector, TR 38.901 Table 7.8-1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Network:
    """Sites of one environment, carrier frequency and antenna.

    Attributes:
        layout: Where they stand.
        sites: Their numbers among all sites. [site of the layout]
        antenna: Antenna of every cell.
    """

    layout: Layout
    sites: npt.NDArray[np.int64]
    antenna: Antenna


def expand(scenario: Scenario, rng: np.random.Generator) -> tuple[tuple[Site, ...], list[Network]]:
    """The sites of a scenario, a layout's spelled out, and their networks.

    Sites without positions make no network.

    Args:
        scenario: What to expand.
        rng: Draws a random layout.
    """
    if not ground.placed(scenario):
        return scenario.sites, []
    asked = scenario.layout
    if asked is None or asked.kind == "file":
        sites = scenario.sites
        if asked is not None:
            sites = _served(asked, [_at(scenario.sites[0], place) for place in asked.places])
        return sites, _networks(sites)
    template = scenario.sites[0]
    regular = _regular(asked, template, rng)
    turn_rad = math.radians(template.bearing_deg - FIRST_DEG)
    turned = dataclasses.replace(regular, bearing_rad=regular.bearing_rad + turn_rad)
    sites = tuple(
        template.model_copy(
            update={"name": f"{template.name}-{n}", "position": Position(x_m=x, y_m=y)}
        )
        for n, (x, y) in enumerate(regular.site_m[:, :2].tolist(), 1)
    )
    sites = _served(asked, sites)
    number = np.arange(len(sites), dtype=np.int64)
    return sites, [Network(layout=turned, sites=number, antenna=_antenna(template))]


def _served(asked: Described, sites: Sequence[Site]) -> tuple[Site, ...]:
    """Sites of a layout, with servers and hours of their own where it says so."""
    named = [(name, at) for name, some in asked.day_curves_at.items() for at in some]
    curves = {number: packaged_curve(name) for name, number in named}
    powers = iter(asked.cell_power_w)
    sites = [
        site.model_copy(
            update={
                "day_curve": curves.get(n, site.day_curve),
                "base_station": _powered(site, tuple(itertools.islice(powers, site.sectors))),
            }
        )
        for n, site in enumerate(sites, 1)
    ]
    return tuple(
        site
        if not asked.servers_at or n in asked.servers_at
        else site.model_copy(update={"servers": ()})
        for n, site in enumerate(sites, 1)
    )


def _powered(site: Site, power_w: tuple[float, ...]) -> BaseStation:
    """The base station with the powers of its cells; none: as it is."""
    base = site.base_station
    return base.model_copy(update={"sector_power_w": power_w}) if power_w else base


def own_hours(curve: tuple[float, ...], sites: Sequence[Site]) -> tuple[tuple[float, ...], ...]:
    """Day curves of a service at each site, if it has one and any site its own. [site][hour]."""
    if not curve or not any(site.day_curve for site in sites):
        return ()
    return tuple(site.day_curve or curve for site in sites)


def _regular(asked: Described, template: Site, rng: np.random.Generator) -> Layout:
    tilt_rad = math.radians(template.downtilt_deg)
    if asked.kind == "hexagonal":
        rings = next(n for n in range(ground.RINGS) if ground.hexagonal_sites(n) == asked.sites)
        return layout.hexagonal(
            rings,
            asked.spacing_m,
            h_bs_m=template.height_m,
            sectors=template.sectors,
            wrap_around=asked.wrap_around,
            tilt_rad=tilt_rad,
        )
    return layout.poisson(
        rng,
        asked.sites,
        asked.spacing_m * math.sqrt(asked.sites),
        h_bs_m=template.height_m,
        sectors=template.sectors,
        wrap_around=asked.wrap_around,
        tilt_rad=tilt_rad,
    )


def _at(template: Site, place: Place) -> Site:
    """The template at a place of a file."""
    own = {"height_m": place.height_m, "sectors": place.sectors, "bearing_deg": place.bearing_deg}
    update = {name: value for name, value in own.items() if value is not None}
    position = Position(x_m=place.x_m, y_m=place.y_m)
    return template.model_copy(update={"name": place.name, "position": position, **update})


def _networks(sites: Sequence[Site]) -> list[Network]:
    """Sites with positions of their own, by what they have in common."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for n, site in enumerate(sites):
        base = site.base_station
        key = (site.environment, base.frequency_hz, site.sectors, base.antenna_gain_dbi)
        groups.setdefault(key, []).append(n)
    return [
        Network(
            layout=_layout([sites[n] for n in group]),
            sites=np.array(group, dtype=np.int64),
            antenna=_antenna(sites[group[0]]),
        )
        for group in groups.values()
    ]


def _layout(sites: Sequence[Site]) -> Layout:
    spots = [(site.position or Position(x_m=0.0, y_m=0.0), site) for site in sites]
    return layout.at(
        [(spot.x_m, spot.y_m, site.height_m) for spot, site in spots],
        sectors=[site.sectors for site in sites],
        tilt_rad=np.radians([site.downtilt_deg for site in sites]),
        bearing_rad=np.radians([site.bearing_deg for site in sites]),
    )


def _antenna(site: Site) -> Antenna:
    """A column of elements for sectors, the same gain all around for a single cell."""
    gain_dbi = site.base_station.antenna_gain_dbi
    if site.sectors == 1:
        return Antenna(elements=1, gain_dbi=gain_dbi, beamwidth_deg=0.0)
    return Antenna(elements=ELEMENTS, gain_dbi=gain_dbi - 10.0 * math.log10(ELEMENTS))
