"""Terminals dropped around the sites or placed, and how every cell hears them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final

import numpy as np

from tree6g.engine.crowd import Crowd, IntArray, Radio
from tree6g.engine.motion import Motion, motion
from tree6g.engine.places import Network
from tree6g.engine.world import Cell
from tree6g.radio import coupling, drop
from tree6g.radio.building import penetration_db
from tree6g.radio.drop import Terminals
from tree6g.radio.link import shannon
from tree6g.radio.pathloss import FloatArray
from tree6g.scenario.model import DataService, Scenario, Site

# Positions drawn per site for the sources of a data service, and links of them all; more sources
# share the positions.
PLACES: Final = 4096
LINKS: Final = 3_000_000
EDGE_DB: Final = 1e-6  # keeps the edge of the cell on the near side of rounding


def together(
    scenario: Scenario,
    sites: Sequence[Site],
    cells: Sequence[Cell],
    networks: Sequence[Network],
    users: np.random.SeedSequence,
    drops: np.random.SeedSequence,
) -> tuple[Radio, Motion | None]:
    """Terminals of sites with positions: each may hear every cell, and gets the strongest.

    Path loss, line of sight, penetration and shadowing of TR 38.901 (`radio.coupling`), from fields
    over the ground: terminals at the same place, of any service, hear the same.
    """
    people, ground, walks = (np.random.default_rng(stream) for stream in users.spawn(3))
    grounds = [coupling.surroundings(ground, network.layout) for network in networks]

    def gain_db(terminals: Terminals) -> FloatArray:
        """Gain to every cell in dB, -inf where none is reckoned. [terminal, cell]."""
        gains = np.full((terminals.count, len(cells)), -np.inf)
        for network, fields in zip(networks, grounds, strict=True):
            columns = [c.index for c in cells if c.site_index in network.sites]
            site = sites[network.sites[0]]
            gains[:, columns] = coupling.coupling_gain_db(
                ground,  # draws nothing, for the fields are given
                network.layout,
                terminals,
                environment=site.environment,
                frequency_hz=site.base_station.frequency_hz,
                antenna=network.antenna,
                fields=fields,
            )
        return gains

    def crowd(terminals: Terminals, first: IntArray) -> Crowd:
        """Terminals at the cell that they hear best."""
        gains = gain_db(terminals)
        return Crowd(first=first, gain_db=gains, serving=np.argmax(gains, axis=1))

    population, moving = scenario.population, None
    terminals, first = _stand(scenario, sites, networks, people, population.users, placed=True)
    if population.speed_m_per_s > 0.0:
        speed = population.speed_m_per_s
        moving, terminals = motion(walks, speed, sites, terminals, gain_db)
    everybody = crowd(terminals, first)
    most = max(1, min(PLACES, LINKS // (len(sites) * len(cells))))
    crowds = dict.fromkeys(scenario.senders, everybody)
    for service, stream in zip(scenario.services, drops.spawn(len(scenario.services)), strict=True):
        if isinstance(service, DataService):
            rng, count = np.random.default_rng(stream), min(service.sources, most)
            crowds[service.name] = crowd(
                *_stand(scenario, sites, networks, rng, count, placed=False)
            )
    follows = scenario.interference == "load"
    return Radio(users=everybody, crowd_of=crowds, follows_load=follows), moving


def _stand(
    scenario: Scenario,
    sites: Sequence[Site],
    networks: Sequence[Network],
    rng: np.random.Generator,
    per_site: int,
    *,
    placed: bool,
) -> tuple[Terminals, IntArray]:
    """Terminals, and the first one of each site."""
    template, asked = sites[0], scenario.layout
    count = per_site * len(sites)
    first = per_site * np.arange(len(sites) + 1)
    known = scenario.population.places
    if known:
        xy_m = np.array([(place.x_m, place.y_m) for place in known])
        xy_m = xy_m if placed else xy_m[rng.integers(len(xy_m), size=count)]
        if placed:
            xy_m, first = _by_site(xy_m, sites)
        found = drop.place(
            rng, xy_m, environment=template.environment, indoor_frac=template.indoor_frac
        )
        return found, first
    if asked is not None and asked.kind != "file":
        found = drop.drop_terminals(
            rng,
            networks[0].layout,
            count,
            environment=template.environment,
            indoor_frac=template.indoor_frac,
        )
        return found, first
    return _joined([_around(rng, site, per_site) for site in sites]), first


def _around(rng: np.random.Generator, site: Site, count: int) -> Terminals:
    centre = (0.0, 0.0) if site.position is None else (site.position.x_m, site.position.y_m)
    return drop.around(
        rng,
        centre,
        site.radius_m,
        count,
        environment=site.environment,
        indoor_frac=site.indoor_frac,
    )


def _joined(parts: Sequence[Terminals]) -> Terminals:
    names = [field.name for field in dataclasses.fields(Terminals)]
    return Terminals(**{n: np.concatenate([getattr(p, n) for p in parts]) for n in names})


def _by_site(xy_m: FloatArray, sites: Sequence[Site]) -> tuple[FloatArray, IntArray]:
    """Places in the order of the sites that are nearest to them, and the first of each site."""
    spots = [site.position for site in sites if site.position is not None]
    centre_m = np.array([(spot.x_m, spot.y_m) for spot in spots])
    nearest = np.empty(len(xy_m), dtype=np.int64)
    for start in range(0, len(xy_m), PLACES):
        part = xy_m[start : start + PLACES, None, :] - centre_m[None]
        nearest[start : start + PLACES] = np.argmin((part**2).sum(axis=-1), axis=1)
    order = np.argsort(nearest, kind="stable")
    return xy_m[order], np.searchsorted(nearest[order], np.arange(len(sites) + 1))


def isolated(
    scenario: Scenario,
    sites: Sequence[Site],
    cells: Sequence[Cell],
    users: np.random.SeedSequence,
    drops: np.random.SeedSequence,
) -> Radio:
    """Terminals of sites without positions: each hears the cell of its own site alone.

    Who would hear less than the least SINR is taken to be at the cell's edge: it would be served by
    a neighbour.
    """
    people = _nobody(scenario.population.users, cells)
    crowds = dict.fromkeys(scenario.senders, people) | {
        s.name: _nobody(min(s.sources, PLACES), cells)
        for s in scenario.services
        if isinstance(s, DataService)
    }
    streams = zip(users.spawn(len(sites)), drops.spawn(len(sites)), strict=True)
    for cell, site, (user, place) in zip(cells, sites, streams, strict=True):
        _fill(people, cell, site, np.random.default_rng(user))
        inner = place.spawn(len(scenario.services))
        for service, stream in zip(scenario.services, inner, strict=True):
            if isinstance(service, DataService):
                _fill(crowds[service.name], cell, site, np.random.default_rng(stream))
    return Radio(users=people, crowd_of=crowds)


def _nobody(per_site: int, cells: Sequence[Cell]) -> Crowd:
    """A crowd that no cell hears yet."""
    count = per_site * len(cells)
    return Crowd(
        first=per_site * np.arange(len(cells) + 1),
        gain_db=np.full((count, len(cells)), -np.inf),
        serving=np.repeat(np.arange(len(cells)), per_site),
    )


def _fill(crowd: Crowd, cell: Cell, site: Site, rng: np.random.Generator) -> None:
    first, end = crowd.first[cell.index : cell.index + 2]
    base = cell.spec
    loss_db = drop.drop_loss_db(
        rng,
        int(end - first),
        environment=site.environment,
        radius_m=site.radius_m,
        frequency_hz=base.frequency_hz,
        h_bs_m=site.height_m,
    )
    if site.indoor_frac > 0.0:
        loss_db = loss_db + _penetration_db(rng, site, len(loss_db))
    reach_db = _reach_db(cell)
    crowd.gain_db[first:end, cell.index] = base.antenna_gain_dbi - np.minimum(
        loss_db, reach_db - EDGE_DB
    )


def _penetration_db(rng: np.random.Generator, site: Site, count: int) -> FloatArray:
    """Loss of walls for a share of the terminals, all of them on the ground floor. [terminal]."""
    inside = drop.place(
        rng,
        np.zeros((count, 2)),
        environment=site.environment,
        indoor_frac=site.indoor_frac,
        outdoor_in_car=False,
    )
    return penetration_db(
        site.base_station.frequency_hz,
        indoor=inside.indoor,
        indoor_distance_m=inside.indoor_distance_m,
        high_loss=inside.high_loss,
        in_car=inside.in_car,
        normal=inside.penetration_normal,
        low_wall="low-a" if site.environment == "sma" else "low",
    )


def _reach_db(cell: Cell) -> float:
    """Path loss at which the weaker direction has the least SINR."""
    base = cell.spec
    ends = (
        (cell.station.transmit_power_w, shannon.TERMINAL_NOISE_FIGURE_DB, shannon.DOWNLINK),
        (shannon.TERMINAL_POWER_W, shannon.STATION_NOISE_FIGURE_DB, shannon.UPLINK),
    )
    return min(
        float(
            shannon.sinr_db(
                0.0,
                power_w=power_w,
                gain_dbi=base.antenna_gain_dbi,
                bandwidth_hz=base.bandwidth_hz,
                noise_figure_db=figure_db,
                interference_margin_db=base.interference_margin_db,
            )
        )
        - quality.sinr_min_db
        for power_w, figure_db, quality in ends
    )
