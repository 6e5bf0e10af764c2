"""Load and interference of a step: what the cells of a network do to one another.

Each step solves, for all terminals with bits waiting, the fixed point of load and interference
(`radio.interference`): the load is the airtime that these bits need within the step, at most all of
it, and other cells disturb by that share of their power, averaged over the step. Broadcast counts
as load of a cell without traffic.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from tree6g.engine.crowd import DOWN, UP, IntArray
from tree6g.engine.lanes import KINDS, Line, gather
from tree6g.engine.radio import grant_frac, terminal_power_w
from tree6g.engine.rates import floor_sinr_db, least_sinr_db, noise_w, rate_bps
from tree6g.engine.world import Cell, Tick, World
from tree6g.radio.interference import CoupledLoad, coupled_load, coupled_uplink_load
from tree6g.radio.pathloss import FloatArray

_Due = tuple[IntArray, IntArray, FloatArray]  # lanes, terminals, bits
TOLERANCE: Final = 1e-4  # of a load, far below what a mean-field interference can tell


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Waiting:
    """Terminals with bits at cells of one frequency, by cell and service. Arrays are [terminal].

    Attributes:
        cells: The cells.
        serving: Number of each terminal's cell among them.
        services: Services with bits, and which terminals each one has.
        terminal: Number among those of its service.
        bit: Bits that wait.
        pool_frac: Share of the bandwidth that is their pool's.
        own_db: Coupling gain at the serving cell. [terminal]
        gain: Coupling gains as factors. [terminal, cell]
    """

    cells: Sequence[Cell]
    serving: npt.NDArray[np.intp]
    services: Sequence[tuple[str, IntArray]]
    terminal: IntArray
    bit: FloatArray
    pool_frac: FloatArray
    own_db: FloatArray
    gain: FloatArray

    def by_spec(self) -> Iterator[tuple[Cell, IntArray | slice]]:
        """Terminals of cells that are alike, with one of these cells."""
        if all(cell.spec is self.cells[0].spec for cell in self.cells):
            yield self.cells[0], slice(None)
            return
        for n in np.unique(self.serving).tolist():
            yield self.cells[n], np.flatnonzero(self.serving == n)


def settle(world: World, kind: str, tick: Tick, line: Line | None = None) -> None:
    """Rates of the terminals that send in this step, under the interference that they make.

    Args:
        world: The run.
        kind: Direction.
        tick: The step.
        line: What waits in this direction, and perhaps in the other, if it is known.
    """
    radio = world.radio
    if not radio.follows_load:
        return
    load_frac = np.zeros(len(world.cells))
    bands: dict[float, list[Cell]] = {}
    for cell in world.cells:
        bands.setdefault(cell.spec.frequency_hz, []).append(cell)
    due = _due(world, kind, line or gather(world, [kind]), tick.t1_s)
    for cells in bands.values():
        index = np.array([cell.index for cell in cells])
        waiting = _waiting(world, cells, due)
        if waiting is not None:
            load_frac[index] = _settle_band(world, kind, waiting, tick.step_s)
        elif kind == DOWN:
            load_frac[index] = np.where([cell.on for cell in cells], _least_frac(cells), 0.0)
    radio.load_frac[kind] = load_frac


def _due(world: World, kind: str, line: Line, until_s: float) -> _Due:
    """Terminals with something that may be sent in the step, by lane; its bits."""
    table, count = world.lanes, np.diff(line.first)
    lane = np.repeat(line.lane, count)
    open_s = line.messages["open_s"]  # infinite: a scheduler may let it out in any step
    due = ((open_s < until_s) | np.isinf(open_s)) & (table.kind[lane] == KINDS.index(kind))
    return _summed(world, lane[due], *(line.messages[n][due] for n in ("terminal", "left_bit")))


def _waiting(world: World, cells: Sequence[Cell], due: _Due) -> _Waiting | None:
    """What waits at some cells for this step; None: nothing."""
    lane, terminal, bit = due
    table, number = world.lanes, np.full(len(world.cells), -1)
    number[[cell.index for cell in cells]] = np.arange(len(cells))
    serving = number[table.cell[lane]]
    here = serving >= 0
    if not here.any():
        return None
    if not here.all():
        lane, terminal, bit, serving = lane[here], terminal[here], bit[here], serving[here]
    service = table.service[lane]
    services = [
        (table.names[n], np.flatnonzero(service == n))
        for n in np.flatnonzero(np.bincount(service)).tolist()
    ]
    own_db, gain = _gains(world, cells, services, terminal, serving)
    band = np.array([cell.band_frac for cell in cells])
    return _Waiting(
        cells=cells,
        serving=serving,
        services=services,
        terminal=terminal,
        bit=bit,
        pool_frac=band[serving] * table.band_frac[lane],
        own_db=own_db,
        gain=gain,
    )


def _summed(world: World, lane: IntArray, terminal: IntArray, bit: FloatArray) -> _Due:
    """One entry for each lane and terminal, with the sum of its bits.

    A terminal waits at one cell for each service, so that its number among all terminals of all
    services will do; where somebody has queued it at two, lane and terminal are sorted.
    """
    table, crowd_of = world.lanes, world.radio.crowd_of
    start = np.concatenate([[0], np.cumsum([len(crowd_of[name]) for name in table.names])])
    who, size = start[table.service[lane]] + terminal, int(start[-1])
    at = np.full(size, -1)
    at[who] = lane
    if (at[who] == lane).all():
        there = np.flatnonzero(at >= 0)
        found = at[there]
        sums = np.bincount(who, weights=bit, minlength=size)[there]
        return found, there - start[table.service[found]], sums.astype(np.float64)
    span = int(terminal.max()) + 1
    key, which = np.unique(lane * span + terminal, return_inverse=True)
    found, terminal = np.divmod(key, span)
    return found, terminal, np.bincount(which, weights=bit).astype(np.float64)


def _gains(
    world: World,
    cells: Sequence[Cell],
    services: Sequence[tuple[str, IntArray]],
    terminal: IntArray,
    serving: IntArray,
) -> tuple[FloatArray, FloatArray]:
    """Gain of terminals at their own cells (dB), and at all of the cells as factors."""
    index = np.array([cell.index for cell in cells])
    own_db, gain = np.empty(len(terminal)), np.empty((len(terminal), len(index)))
    for name, mine in services:
        crowd, who = world.radio.crowd_of[name], terminal[mine]
        own_db[mine] = crowd.gain_db[who, index[serving[mine]]]
        if len(index) < len(world.cells):
            gain[mine] = crowd.gain[who][:, index]
        elif mine[-1] - mine[0] + 1 == len(mine):  # as `_summed` has them
            rows = gain[mine[0] : mine[-1] + 1]
            np.take(crowd.gain, who, axis=0, out=rows, mode="clip")
        else:
            gain[mine] = crowd.gain[who]
    return own_db, gain


def _settle_band(world: World, kind: str, waiting: _Waiting, step_s: float) -> FloatArray:
    """Solve the cells of one frequency, and note the rates. Returns their load. [cell].

    Loads and powers are those of the whole bandwidth, so that reserved and muted parts add up.
    """
    cells, serving, own_db, gain = waiting.cells, waiting.serving, waiting.own_db, waiting.gain
    sent_frac = _sent_frac(kind, waiting, own_db)
    demand_bps = _demand_bps(world, kind, waiting, sent_frac, step_s)

    def rates(sinr_db: FloatArray, _: float) -> FloatArray:
        """Rate of each terminal in bit/s at an SINR in dB. [terminal]."""
        found = np.empty(len(sinr_db))
        for cell, rows in waiting.by_spec():
            found[rows] = rate_bps(cell.spec, kind, sinr_db[rows])
        return found

    bandwidth_hz = cells[0].spec.bandwidth_hz
    if kind == DOWN:
        focus = 10.0 ** (np.array([focus_db(c) for c in cells]) / 10.0)
        gain[np.arange(len(serving)), serving] *= focus[serving]
        solved = coupled_load(
            np.empty(0),
            serving,
            [radiated_w(cell) for cell in cells],
            demand_bps,
            bandwidth_hz,
            noise_w(cells[0].spec, DOWN),
            gain=gain,
            rate=rates,
            least_frac=_least_frac(cells),
            start_frac=world.radio.load_frac[DOWN][[cell.index for cell in cells]],
            tolerance=TOLERANCE,
        )
    else:
        solved = coupled_uplink_load(
            np.empty(0),
            serving,
            _terminal_w(waiting, own_db, sent_frac),
            demand_bps,
            bandwidth_hz,
            noise_w(cells[0].spec, UP),
            gain=gain,
            rate=rates,
            tolerance=TOLERANCE,
        )
    _note(world, kind, waiting, solved)
    return solved.load_frac


def _sent_frac(kind: str, waiting: _Waiting, own_db: FloatArray) -> FloatArray:
    """Share of the bandwidth that each terminal fills while it sends. [terminal]."""
    sent_frac = np.empty(len(own_db))
    uplink_db = np.array([cell.uplink_db for cell in waiting.cells])[waiting.serving]
    for cell, rows in waiting.by_spec():
        sent_frac[rows] = grant_frac(
            cell.spec, kind, own_db[rows], waiting.pool_frac[rows], uplink_db[rows]
        )
    return sent_frac


def _terminal_w(waiting: _Waiting, own_db: FloatArray, sent_frac: FloatArray) -> FloatArray:
    """Power of the terminals, see `engine.radio.power_w`. [terminal]."""
    watts = np.empty(len(own_db))
    muted = np.array([10.0 ** (cell.uplink_db / 10.0) for cell in waiting.cells])[waiting.serving]
    for cell, rows in waiting.by_spec():
        watts[rows] = terminal_power_w(cell.spec, own_db[rows], sent_frac[rows], muted[rows])
    return watts


def _demand_bps(
    world: World, kind: str, waiting: _Waiting, sent_frac: FloatArray, step_s: float
) -> FloatArray:
    """What each terminal can send at most in the step, its part of the pool at its last rate."""
    last_bps = np.empty(len(sent_frac))
    for name, mine in waiting.services:
        last_bps[mine] = world.radio.rate_bps[kind][name][waiting.terminal[mine]]
    demand_bps = waiting.bit / step_s
    in_turn = [cell.spec.scheduler != "first-come" for cell in waiting.cells]
    most_bps = last_bps * sent_frac / waiting.pool_frac
    most_bps[~np.array(in_turn)[waiting.serving]] = np.inf
    return np.minimum(demand_bps, most_bps)


def _note(world: World, kind: str, waiting: _Waiting, solved: CoupledLoad) -> None:
    """Write the rates down for the queues, and how well the fixed point was met."""
    rate = waiting.pool_frac * solved.rate_bps
    for name, mine in waiting.services:
        world.radio.rate_bps[kind][name][waiting.terminal[mine]] = rate[mine]
    sums = world.radio.solved
    sums.steps += 1
    sums.iterations += solved.iterations
    sums.residual_frac = max(sums.residual_frac, solved.residual)
    sums.unconverged += not solved.converged
    sums.rows += len(solved.sinr_db)
    sums.slow += int(np.count_nonzero(solved.sinr_db < least_sinr_db(kind)))
    sums.faint += int(np.count_nonzero(solved.sinr_db < floor_sinr_db(kind)))


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
    """Share of time of broadcast: the interference of cells without traffic; off, they send none.

    The mean over the cells that are on.
    """
    sending = [cell.station.signals.sending_frac for cell in cells if cell.on]
    return float(np.mean(sending)) if sending else 0.0


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
