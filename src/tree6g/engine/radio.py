"""The radio network of a run: which cell serves whom, and at which rate.

Two ways to account for other cells: a fixed rise of the noise floor (`interference_margin`), or
what they send (`engine.load`). Cells on different frequencies do not disturb one another.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tree6g.engine.airtime import Messages, by_cell
from tree6g.engine.crowd import DOWN, UP, Crowd, IntArray
from tree6g.engine.rates import noise_w, rate_bps
from tree6g.engine.world import Cell, World
from tree6g.radio.link import shannon
from tree6g.radio.numerology import numerology
from tree6g.radio.pathloss import FloatArray
from tree6g.radio.power_control import headroom_bandwidth_hz, uplink_power_w
from tree6g.scenario.station import BaseStation


def push(world: World, kind: str, service: str, batch: Messages) -> None:
    """Queue messages at the cells that serve their terminals."""
    if len(batch):
        world.incoming.append((kind, service, batch))


def refresh(world: World) -> None:
    """Rates of all terminals at the cells that serve them now, other cells at their margin."""
    radio = world.radio
    for kind in (UP, DOWN):
        radio.rate_bps[kind], radio.part_frac[kind] = {}, {}
        services = {s for c in world.cells for p in c.carrier(kind).pools for s in p.services}
        for service in sorted(services):
            rates, parts = _rates(world, kind, service)
            radio.rate_bps[kind][service], radio.part_frac[kind][service] = rates, parts
        radio.load_frac.setdefault(kind, np.zeros(len(world.cells)))


def _rates(
    world: World, kind: str, service: str, rows: IntArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """Rate of terminals over their whole pool, and the part that they may fill. [row]."""
    crowd = world.radio.crowd_of[service]
    rows = np.arange(len(crowd)) if rows is None else rows
    rates, parts = np.empty(len(rows)), np.ones(len(rows))
    serving = crowd.serving[rows]
    for cell in world.cells:
        mine = np.flatnonzero(serving == cell.index)
        if not len(mine):
            continue
        gain_db = crowd.gain_db[rows[mine], cell.index]
        pool_frac = band_frac(cell, kind, service)
        sent_frac = grant_frac(cell.spec, kind, gain_db, pool_frac, cell.uplink_db)
        sinr_db = margin_sinr_db(cell, kind, gain_db, sent_frac)
        rates[mine] = pool_frac * rate_bps(cell.spec, kind, sinr_db)
        parts[mine] = sent_frac / pool_frac
    return rates, parts


def margin_sinr_db(
    cell: Cell, kind: str, gain_db: FloatArray, part_frac: npt.ArrayLike
) -> FloatArray:
    """SINR where other cells raise the noise floor by the scenario's margin. [terminal].

    Args:
        cell: The cell.
        kind: Direction.
        gain_db: Coupling gain of its terminals. [terminal]
        part_frac: Part of the bandwidth that a terminal fills, see `grant_frac`. [terminal]
    """
    received_db = gain_db + 10.0 * np.log10(power_w(cell, kind, gain_db, part_frac))
    floor_db = 10.0 * np.log10(noise_w(cell.spec, kind)) + cell.spec.interference_margin_db
    return received_db - floor_db


def band_frac(cell: Cell, kind: str, service: str) -> float:
    """Share of the cell's bandwidth that a service's pool has now."""
    return cell.band_frac * cell.carrier(kind).pool_of(service).band_frac


def grant_frac(
    base: BaseStation,
    kind: str,
    gain_db: FloatArray,
    pool_frac: npt.ArrayLike,
    uplink_db: npt.ArrayLike = 0.0,
) -> FloatArray:
    """Share of the cell's bandwidth that each terminal fills while it sends. [terminal].

    Its whole pool; but where power is controlled and messages take turns, no more than what it can
    fill at the power density aimed at (its power headroom), at least one resource block. What it
    leaves is for others at the same time.

    Args:
        base: What the scenario says of the cell.
        kind: Direction.
        gain_db: Coupling gain of its terminals. [terminal]
        pool_frac: Share of the bandwidth that is their pool's.
        uplink_db: Change of gain of the uplink by muted antennas.
    """
    whole = np.full(len(gain_db), pool_frac)
    if kind == DOWN or base.uplink_p0_dbm is None or base.scheduler == "first-come":
        return whole
    reach_hz = headroom_bandwidth_hz(
        -gain_db - np.asarray(uplink_db), p0_dbm=base.uplink_p0_dbm, alpha=base.uplink_alpha_frac
    )
    least_frac = numerology(base.subcarrier_hz).prb_hz / base.bandwidth_hz
    return np.minimum(whole, np.maximum(reach_hz / base.bandwidth_hz, least_frac))


def power_w(cell: Cell, kind: str, gain_db: FloatArray, part_frac: npt.ArrayLike) -> FloatArray:
    """Power as though the whole bandwidth had the density of the part in use. [terminal].

    The downlink keeps its density when carriers are muted; a terminal puts all its power into its
    part. Muted antennas of the base station count as less power in both directions.

    Args:
        cell: The cell.
        kind: Direction.
        gain_db: Coupling gain of its terminals. [terminal]
        part_frac: Part of the bandwidth, see `grant_frac`. [terminal]
    """
    if kind == DOWN:
        muted = 10.0 ** (cell.downlink_db / 10.0)
        return np.full(len(gain_db), cell.station.transmit_power_w * muted)
    return terminal_power_w(cell.spec, gain_db, part_frac, 10.0 ** (cell.uplink_db / 10.0))


def terminal_power_w(
    base: BaseStation, gain_db: FloatArray, part_frac: npt.ArrayLike, muted: npt.ArrayLike
) -> FloatArray:
    """`power_w` of terminals at cells of one kind; `muted`: what muted antennas leave of it."""
    part = np.asarray(part_frac, dtype=np.float64)
    sent_w = np.full(len(gain_db), shannon.TERMINAL_POWER_W)
    if base.uplink_p0_dbm is not None:
        sent_w = uplink_power_w(
            -gain_db,
            base.bandwidth_hz * part,
            p0_dbm=base.uplink_p0_dbm,
            alpha=base.uplink_alpha_frac,
        )
    return np.asarray(sent_w * np.asarray(muted) / part)


def attach(world: World) -> None:
    """Let the cell that is received best serve each terminal, and take its messages along.

    Only cells that are on; without offset or hysteresis. A message that has begun continues with
    the bits that are left. A terminal that hears no cell that is on stays where it is.
    """
    on = np.array([cell.on for cell in world.cells])
    changed = False
    for crowd in world.radio.crowds():
        heard_db = np.where(on, received_db(world, crowd), -np.inf)
        best = np.argmax(heard_db, axis=1)
        audible = np.isfinite(heard_db[np.arange(len(best)), best])
        serving = np.where(audible, best, crowd.serving)
        changed = changed or bool((serving != crowd.serving).any())
        crowd.serving = serving
    world.radio.reach.clear()
    if changed:
        for cell in world.cells:
            _hand_over(world, cell)
    refresh(world)


def follow(world: World, crowd: Crowd, rows: IntArray, margin_db: float) -> int:
    """Rates and cells of terminals whose gains have changed; returns the number of handovers.

    Args:
        world: The run.
        crowd: Their crowd.
        rows: Their numbers in it.
        margin_db: How much better another cell must be received.
    """
    crowd.heard_anew(rows)
    on = np.array([cell.on for cell in world.cells])
    heard_db = np.where(on, received_db(world, crowd, rows), -np.inf)
    before, row = crowd.serving[rows], np.arange(len(rows))
    best = np.argmax(heard_db, axis=1)
    better = heard_db[row, best] > heard_db[row, before] + margin_db
    crowd.serving[rows[better]] = best[better]
    for cell in np.unique(before[better]).tolist():
        _hand_over(world, world.cells[cell])
    for kind, by_service in world.radio.rate_bps.items():
        for service in by_service:
            if world.radio.crowd_of[service] is crowd:
                rates, parts = _rates(world, kind, service, rows)
                by_service[service][rows] = rates
                world.radio.part_frac[kind][service][rows] = parts
    world.radio.covering = None
    world.radio.reach.clear()
    return int(np.count_nonzero(better))


def received_db(world: World, crowd: Crowd, rows: IntArray | None = None) -> FloatArray:
    """Power that terminals receive from each cell at full load, muted or not. [row, cell].

    Args:
        world: The run.
        crowd: The terminals.
        rows: Which of them; None: all.
    """
    watts = [cell.station.transmit_power_w for cell in world.cells]
    gain_db = crowd.gain_db if rows is None else crowd.gain_db[rows]
    return gain_db + 10.0 * np.log10(watts)


def _hand_over(world: World, cell: Cell) -> None:
    """Messages of terminals that another cell serves now go there; chunks find it by themselves."""
    for kind in (UP, DOWN):
        for pool in cell.carrier(kind).pools:
            for service, queue in tuple(pool.queues.items()):
                serving = world.radio.crowd_of[service].serving[queue["terminal"]]
                stays = serving == cell.index
                if stays.all():
                    continue
                del pool.queues[service]
                pool.push(service, queue[stays])
                for other, part in by_cell(serving[~stays], queue[~stays]):
                    world.cells[other].push(kind, service, part)
