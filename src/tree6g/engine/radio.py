"""The radio network of a run: which cell serves whom, at which rate, under which interference.

Two ways to account for other cells: a fixed rise of the noise floor (`interference_margin`), or
what they send (`interference: load`). Then each step solves, for all terminals with bits waiting,
the fixed point of load and interference (`radio.interference`): the load is the airtime that these
bits need within the step, at most all of it, and other cells disturb by that share of their power,
averaged over the step. Broadcast counts as load of a cell without traffic. Cells on different
frequencies do not disturb one another.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from tree6g.engine.airtime import Messages
from tree6g.engine.crowd import DOWN, UP, Crowd, IntArray
from tree6g.engine.rates import floor_sinr_db, least_sinr_db, noise_w, rate_bps
from tree6g.engine.world import Cell, Tick, World
from tree6g.radio.interference import CoupledLoad, coupled_load, coupled_uplink_load
from tree6g.radio.link import shannon
from tree6g.radio.numerology import numerology
from tree6g.radio.pathloss import FloatArray
from tree6g.radio.power_control import headroom_bandwidth_hz, uplink_power_w

TOLERANCE: Final = 1e-4  # of a load, far below what a mean-field interference can tell


def push(world: World, kind: str, service: str, batch: Messages) -> None:
    """Queue messages at the cells that serve their terminals."""
    serving = world.radio.crowd_of[service].serving[batch["terminal"]]
    for cell in np.unique(serving).tolist():
        world.cells[cell].push(kind, service, batch[serving == cell])


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
        sent_frac = grant_frac(cell, kind, gain_db, pool_frac)
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


def grant_frac(cell: Cell, kind: str, gain_db: FloatArray, pool_frac: float) -> FloatArray:
    """Share of the cell's bandwidth that each terminal fills while it sends. [terminal].

    Its whole pool; but where power is controlled and messages take turns, no more than what it can
    fill at the power density aimed at (its power headroom), at least one resource block. What it
    leaves is for others at the same time.
    """
    spec = cell.spec
    whole = np.full(len(gain_db), pool_frac)
    if kind == DOWN or spec.uplink_p0_dbm is None or spec.scheduler == "first-come":
        return whole
    reach_hz = headroom_bandwidth_hz(
        -gain_db - cell.uplink_db, p0_dbm=spec.uplink_p0_dbm, alpha=spec.uplink_alpha_frac
    )
    least_frac = numerology(spec.subcarrier_hz).prb_hz / spec.bandwidth_hz
    return np.minimum(whole, np.maximum(reach_hz / spec.bandwidth_hz, least_frac))


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
    part = np.asarray(part_frac, dtype=np.float64)
    if kind == DOWN:
        muted = 10.0 ** (cell.downlink_db / 10.0)
        return np.full(len(gain_db), cell.station.transmit_power_w * muted)
    spec, sent_w = cell.spec, np.full(len(gain_db), shannon.TERMINAL_POWER_W)
    if spec.uplink_p0_dbm is not None:
        sent_w = uplink_power_w(
            -gain_db,
            spec.bandwidth_hz * part,
            p0_dbm=spec.uplink_p0_dbm,
            alpha=spec.uplink_alpha_frac,
        )
    return sent_w * 10.0 ** (cell.uplink_db / 10.0) / part


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Waiting:
    """Terminals of a service with bits at a cell. Arrays are [terminal]."""

    service: str
    cell: Cell
    pool_frac: float
    sent_frac: FloatArray
    terminal: IntArray
    bit: FloatArray
    gain_db: FloatArray


def settle(world: World, kind: str, tick: Tick) -> None:
    """Rates of the terminals that send in this step, under the interference that they make."""
    radio = world.radio
    if not radio.follows_load:
        return
    load_frac = np.zeros(len(world.cells))
    bands: dict[float, list[Cell]] = {}
    for cell in world.cells:
        bands.setdefault(cell.spec.frequency_hz, []).append(cell)
    for cells in bands.values():
        index = np.array([cell.index for cell in cells])
        rows = [row for cell in cells for row in _waiting(world, cell, kind, index, tick.t1_s)]
        if rows:
            load_frac[index] = _settle_band(world, kind, cells, rows, tick.step_s)
        elif kind == DOWN:
            load_frac[index] = _least_frac(cells)
    radio.load_frac[kind] = load_frac


def _waiting(
    world: World, cell: Cell, kind: str, index: IntArray, until_s: float
) -> Iterator[_Waiting]:
    """What waits at a cell for this step, by service."""
    for pool in cell.carrier(kind).pools:
        for service, queue in pool.queues.items():
            due = queue[queue["open_s"] < until_s]
            terminal, which = due["terminal"], np.arange(len(due))
            if len(due) > 1:
                terminal, which = np.unique(terminal, return_inverse=True)
            if len(terminal):
                crowd, pool_frac = world.radio.crowd_of[service], band_frac(cell, kind, service)
                own_db = crowd.gain_db[terminal, cell.index]
                yield _Waiting(
                    service=service,
                    cell=cell,
                    pool_frac=pool_frac,
                    sent_frac=grant_frac(cell, kind, own_db, pool_frac),
                    terminal=terminal,
                    bit=np.bincount(which, weights=due["left_bit"]).astype(np.float64),
                    gain_db=crowd.gain_db[np.ix_(terminal, index)],
                )


def _settle_band(
    world: World, kind: str, cells: Sequence[Cell], rows: Sequence[_Waiting], step_s: float
) -> FloatArray:
    """Solve the cells of one frequency, and note the rates. Returns their load. [cell].

    Loads and powers are those of the whole bandwidth, so that reserved and muted parts add up.
    """
    place = {cell.index: n for n, cell in enumerate(cells)}
    count = [len(row.terminal) for row in rows]
    serving = np.repeat([place[row.cell.index] for row in rows], count)
    gain_db = np.concatenate([row.gain_db for row in rows])
    demand_bps = np.concatenate([_demand_bps(world, kind, row, step_s) for row in rows])

    def rates(sinr_db: FloatArray, _: float) -> FloatArray:
        return _rates_by_cell(cells, serving, kind, sinr_db)

    bandwidth_hz = cells[0].spec.bandwidth_hz
    if kind == DOWN:
        gain_db[np.arange(len(serving)), serving] += np.array([focus_db(c) for c in cells])[serving]
        solved = coupled_load(
            gain_db,
            serving,
            [radiated_w(cell) for cell in cells],
            demand_bps,
            bandwidth_hz,
            noise_w(cells[0].spec, DOWN),
            rate=rates,
            least_frac=_least_frac(cells),
            start_frac=world.radio.load_frac[DOWN][[cell.index for cell in cells]],
            tolerance=TOLERANCE,
        )
    else:
        own = [row.gain_db[:, place[row.cell.index]] for row in rows]
        sent_w = [power_w(r.cell, UP, g, r.sent_frac) for r, g in zip(rows, own, strict=True)]
        solved = coupled_uplink_load(
            gain_db,
            serving,
            np.concatenate(sent_w),
            demand_bps,
            bandwidth_hz,
            noise_w(cells[0].spec, UP),
            rate=rates,
            tolerance=TOLERANCE,
        )
    _note(world, kind, rows, count, solved)
    return solved.load_frac


def _demand_bps(world: World, kind: str, row: _Waiting, step_s: float) -> FloatArray:
    """What each terminal can send at most in the step, its part of the pool at its last rate."""
    last_bps = world.radio.rate_bps[kind][row.service][row.terminal]
    demand_bps = row.bit / step_s
    if row.cell.spec.scheduler == "first-come":
        return demand_bps
    return np.minimum(demand_bps, last_bps * row.sent_frac / row.pool_frac)


def _note(
    world: World, kind: str, rows: Sequence[_Waiting], count: Sequence[int], solved: CoupledLoad
) -> None:
    """Write the rates down for the queues, and how well the fixed point was met."""
    first = np.cumsum(count) - count
    for row, start, size in zip(rows, first.tolist(), count, strict=True):
        rate = row.pool_frac * solved.rate_bps[start : start + size]
        world.radio.rate_bps[kind][row.service][row.terminal] = rate
    sums = world.radio.solved
    sums.steps += 1
    sums.iterations += solved.iterations
    sums.residual_frac = max(sums.residual_frac, solved.residual)
    sums.unconverged += not solved.converged
    sums.rows += len(solved.sinr_db)
    sums.slow += int(np.count_nonzero(solved.sinr_db < least_sinr_db(kind)))
    sums.faint += int(np.count_nonzero(solved.sinr_db < floor_sinr_db(kind)))


def _rates_by_cell(
    cells: Sequence[Cell], serving: npt.NDArray[np.intp], kind: str, sinr_db: FloatArray
) -> FloatArray:
    """Rates over the whole carrier, cell by cell where their links differ. [terminal]."""
    if all(cell.spec is cells[0].spec for cell in cells):
        return rate_bps(cells[0].spec, kind, sinr_db)
    rates = np.empty(len(sinr_db))
    for n in np.unique(serving).tolist():
        mine = serving == n
        rates[mine] = rate_bps(cells[n].spec, kind, sinr_db[mine])
    return rates


def radiated_w(cell: Cell) -> float:
    """What the cell sends at full load; nothing while it is off.

    With some antennas muted others hear it by its power: the array gain that its own terminals lose
    besides is `focus_db`.
    """
    return float(cell.on) * cell.station.transmit_power_w * cell.rest.order.antenna_frac


def focus_db(cell: Cell) -> float:
    """Change of the array gain towards the cell's own terminals by muted antennas, at most 0."""
    return cell.downlink_db - 10.0 * math.log10(cell.rest.order.antenna_frac)


def _least_frac(cells: Sequence[Cell]) -> float:
    """Share of time of broadcast: the interference of cells without traffic."""
    return float(np.mean([cell.station.signals.sending_frac for cell in cells]))


def notes(world: World) -> list[str]:
    """How the fixed points of load and interference were met, for the header."""
    sums = world.radio.solved
    if not sums.steps:
        return []
    told = (
        f"Load and interference were solved {sums.steps:,} times with "
        f"{sums.iterations / sums.steps:.1f} iterations on average; the loads then changed by at "
        f"most {sums.residual_frac:.1e}"
    )
    if sums.unconverged:
        told += f", and {sums.unconverged:,} times by more than {TOLERANCE:g}: not converged"
    rows = max(sums.rows, 1)
    told += f". {sums.slow / rows:.1%} of the terminals with traffic were below the least SINR and "
    told += "repeated or used a part of the band"
    if sums.faint:
        told += f"; {sums.faint / rows:.1%} were out of coverage and taken to be at its edge"
    return [f"{told}."]


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
    """Messages and chunks of terminals that another cell serves now go there."""
    for kind in (UP, DOWN):
        for pool in cell.carrier(kind).pools:
            for service, queue in tuple(pool.queues.items()):
                serving = world.radio.crowd_of[service].serving[queue["terminal"]]
                stays = serving == cell.index
                if stays.all():
                    continue
                del pool.queues[service]
                pool.push(service, queue[stays])
                push(world, kind, service, queue[~stays])
    for service, held in tuple(cell.chunks.items()):
        serving = world.radio.crowd_of[service].serving[held["terminal"]]
        cell.chunks[service] = held[serving == cell.index]
        for other in np.unique(serving[serving != cell.index]).tolist():
            world.cells[other].hold(service, held[serving == other])
