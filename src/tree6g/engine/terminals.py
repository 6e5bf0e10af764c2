"""Terminals dropped around the sites, and how every cell hears them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from tree6g.engine.crowd import Crowd, Radio
from tree6g.engine.world import Cell
from tree6g.radio.drop import drop_loss_db
from tree6g.radio.link import shannon
from tree6g.radio.pathloss import FloatArray
from tree6g.scenario.model import AiService, DataService, Scenario, Site

PLACES: Final = 4096  # positions drawn for the sources of a data service; more sources share them
EDGE_DB: Final = 1e-6  # keeps the edge of the cell on the near side of rounding


def isolated(
    scenario: Scenario,
    sites: Sequence[Site],
    cells: Sequence[Cell],
    users: np.random.SeedSequence,
    places: np.random.SeedSequence,
) -> Radio:
    """Terminals of sites without positions: each hears the cell of its own site alone.

    Who would hear less than the least SINR is taken to be at the cell's edge: it would be served by
    a neighbour.
    """
    count = scenario.population.users
    people = Crowd(per_site=count, gain_db=_nothing(count, cells), serving=_home(count, cells))
    crowds = {
        s.name: people if isinstance(s, AiService) else _sources(s, cells)
        for s in scenario.services
    }
    streams = zip(users.spawn(len(sites)), places.spawn(len(sites)), strict=True)
    for cell, site, (user, place) in zip(cells, sites, streams, strict=True):
        _fill(people, cell, _gain_db(np.random.default_rng(user), cell, site, people.per_site))
        inner = place.spawn(len(scenario.services))
        for service, stream in zip(scenario.services, inner, strict=True):
            crowd = crowds[service.name]
            if crowd is not people:
                rng = np.random.default_rng(stream)
                _fill(crowd, cell, _gain_db(rng, cell, site, crowd.per_site))
    return Radio(users=people, crowd_of=crowds)


def _sources(service: DataService, cells: Sequence[Cell]) -> Crowd:
    count = min(service.sources, PLACES)
    return Crowd(per_site=count, gain_db=_nothing(count, cells), serving=_home(count, cells))


def _nothing(per_site: int, cells: Sequence[Cell]) -> FloatArray:
    return np.full((per_site * len(cells), len(cells)), -np.inf)


def _home(per_site: int, cells: Sequence[Cell]) -> np.ndarray:
    return np.repeat(np.arange(len(cells)), per_site)


def _fill(crowd: Crowd, cell: Cell, gain_db: FloatArray) -> None:
    crowd.gain_db[crowd.terminal(cell.site_index, np.arange(crowd.per_site)), cell.index] = gain_db


def _gain_db(rng: np.random.Generator, cell: Cell, site: Site, count: int) -> FloatArray:
    """Coupling gain of terminals dropped around a site. [terminal]."""
    base = cell.spec
    loss_db = drop_loss_db(
        rng,
        count,
        environment=site.environment,
        radius_m=site.radius_m,
        frequency_hz=base.frequency_hz,
        h_bs_m=site.height_m,
    )
    down_db, up_db = (
        shannon.sinr_db(
            0.0,
            power_w=power_w,
            gain_dbi=base.antenna_gain_dbi,
            bandwidth_hz=base.bandwidth_hz,
            noise_figure_db=figure_db,
            interference_margin_db=base.interference_margin_db,
        )
        for power_w, figure_db in (
            (cell.station.transmit_power_w, shannon.TERMINAL_NOISE_FIGURE_DB),
            (shannon.TERMINAL_POWER_W, shannon.STATION_NOISE_FIGURE_DB),
        )
    )
    reach_db = min(
        float(down_db) - shannon.DOWNLINK.sinr_min_db, float(up_db) - shannon.UPLINK.sinr_min_db
    )
    return base.antenna_gain_dbi - np.minimum(loss_db, reach_db - EDGE_DB)
