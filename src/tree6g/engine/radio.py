"""The radio network of a run: which cell serves whom, and at which rate."""

from __future__ import annotations

from typing import Final

import numpy as np

from tree6g.engine.airtime import Messages
from tree6g.engine.crowd import DOWN, UP, Crowd
from tree6g.engine.world import Cell, World
from tree6g.radio.link import shannon
from tree6g.radio.pathloss import FloatArray

QUALITY: Final = {UP: shannon.UPLINK, DOWN: shannon.DOWNLINK}


def push(world: World, kind: str, service: str, batch: Messages) -> None:
    """Queue messages at the cells that serve their terminals."""
    serving = world.radio.crowd_of[service].serving[batch["terminal"]]
    for cell in np.unique(serving).tolist():
        world.cells[cell].push(kind, service, batch[serving == cell])


def refresh(world: World) -> None:
    """Rates of all terminals at the cells that serve them now."""
    rates: dict[str, dict[str, FloatArray]] = {UP: {}, DOWN: {}}
    for kind, by_service in rates.items():
        services = {s for c in world.cells for p in c.carrier(kind).pools for s in p.services}
        for service in sorted(services):
            by_service[service] = _rates(world, kind, service)
    world.radio.rate_bps = rates


def _rates(world: World, kind: str, service: str) -> FloatArray:
    """Rate of each terminal with its pool for itself. [terminal]."""
    crowd = world.radio.crowd_of[service]
    rate_bps = np.empty(len(crowd.serving))
    for cell in world.cells:
        mine = np.flatnonzero(crowd.serving == cell.index)
        if len(mine):
            rate_bps[mine] = _cell_rates(cell, kind, service, crowd, mine)
    return rate_bps


def _cell_rates(cell: Cell, kind: str, service: str, crowd: Crowd, mine: np.ndarray) -> FloatArray:
    """Rate of some terminals of a cell, whose noise floor others raise by a fixed margin."""
    carrier, quality = cell.carrier(kind), QUALITY[kind]
    bandwidth_hz = cell.spec.bandwidth_hz * cell.band_frac * carrier.pool_of(service).band_frac
    sinr_db = shannon.sinr_db(
        -crowd.gain_db[mine, cell.index],
        power_w=power_w(cell, kind),
        gain_dbi=0.0,
        bandwidth_hz=bandwidth_hz,
        noise_figure_db=NOISE_FIGURE_DB[kind],
        interference_margin_db=cell.spec.interference_margin_db,
    )
    return shannon.rate_bps(
        np.maximum(sinr_db, quality.sinr_min_db),
        bandwidth_hz,
        time_frac=carrier.time_frac,
        quality=quality,
    )


NOISE_FIGURE_DB: Final = {
    UP: shannon.STATION_NOISE_FIGURE_DB,
    DOWN: shannon.TERMINAL_NOISE_FIGURE_DB,
}


def power_w(cell: Cell, kind: str) -> float:
    """Power over the cell's bandwidth in use (downlink), or of a terminal (uplink).

    Muted antennas count as less power, though in the uplink they receive less. A cell that uses a
    part of its bandwidth keeps its power density.
    """
    if kind == DOWN:
        return cell.station.transmit_power_w * cell.band_frac * 10.0 ** (cell.downlink_db / 10.0)
    return shannon.TERMINAL_POWER_W * 10.0 ** (cell.uplink_db / 10.0)


def attach(world: World) -> None:
    """Let the strongest cell that is on serve each terminal, and take its messages along.

    A message that has begun continues with its remaining bits. If no cell that is on can be heard,
    the terminal stays where it is.
    """
    on = np.array([cell.on for cell in world.cells])
    changed = False
    for crowd in world.radio.crowds():
        heard_db = np.where(on, crowd.gain_db, -np.inf)
        best = np.argmax(heard_db, axis=1)
        audible = np.isfinite(heard_db[np.arange(len(best)), best])
        serving = np.where(audible, best, crowd.serving)
        changed = changed or bool((serving != crowd.serving).any())
        crowd.serving = serving
    if changed:
        for cell in world.cells:
            _hand_over(world, cell)
    refresh(world)


def _hand_over(world: World, cell: Cell) -> None:
    """Messages and chunks of terminals that another cell serves now go there."""
    for kind in (UP, DOWN):
        for pool in cell.carrier(kind).pools:
            for service, queue in tuple(pool.queues.items()):
                stays = _stays(world, cell, service, queue)
                if stays.all():
                    continue
                pool.queues.pop(service)
                pool.push(service, queue[stays])
                push(world, kind, service, queue[~stays])
    for service, held in tuple(cell.chunks.items()):
        serving = world.radio.crowd_of[service].serving[held["terminal"]]
        cell.chunks[service] = held[serving == cell.index]
        for other in np.unique(serving[serving != cell.index]).tolist():
            world.cells[other].hold(service, held[serving == other])


def _stays(world: World, cell: Cell, service: str, queue: Messages) -> np.ndarray:
    serving = world.radio.crowd_of[service].serving[queue["terminal"]]
    stays: np.ndarray = serving == cell.index
    return stays
