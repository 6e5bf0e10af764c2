"""One direction of all cells at once: waiting messages as one flat table, through a step.

`engine.airtime.Pool.advance` states the same for one pool, and `radio.wake` for one sleeping cell.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from tree6g.engine import schedule
from tree6g.engine.airtime import Messages, Passage, picked
from tree6g.engine.crowd import DOWN, UP, IntArray
from tree6g.engine.lanes import KINDS, Lanes, Line, put_back
from tree6g.engine.rest import Waits
from tree6g.engine.world import Cell, Tick, World
from tree6g.radio import air_step
from tree6g.radio.pathloss import FloatArray
from tree6g.radio.power import StationPower
from tree6g.radio.step_tables import Cells, Passed, Queues, Stations, Waiting, Windows

BoolArray = npt.NDArray[np.bool_]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Passing:
    """What all cells sent in a step in one direction.

    Messages that are left are back in their queues.

    Attributes:
        kind: Direction.
        messages: All messages that were waiting, queue by queue. [message]
        names: Services by number.
        service: Service of each message. [message]
        cell: Its cell. [message]
        end_s: When it was out, infinity if it was not. [message]
        sent: Whether it went out whole. [message]
        line: Messages, queue by queue, as they stand in `messages`.
        lanes: All lanes.
        cells: All cells.
        passed: Times of each message.
        t1_s: End of the step.
    """

    kind: str
    messages: Messages
    names: tuple[str, ...]
    service: IntArray
    cell: IntArray
    end_s: FloatArray
    sent: BoolArray
    line: Line
    lanes: Lanes
    cells: Sequence[Cell]
    passed: Passed
    t1_s: float

    def out_of(self, service: int) -> IntArray:
        """Messages of a service that went out whole. [message]."""
        return np.flatnonzero(self.sent & (self.service == service))

    def queues(self) -> IntArray:
        """Queues of this direction. [queue]."""
        return np.flatnonzero(self.lanes.kind[self.line.lane] == KINDS.index(self.kind))

    def each(self) -> Iterator[tuple[Cell, str, Passage]]:
        """The passage of every queue by itself."""
        for n in self.queues().tolist():
            lane, rows = self.line.lane[n], slice(*self.line.first[n : n + 2].tolist())
            cell, service = self.cells[self.lanes.cell[lane]], self.names[self.lanes.service[lane]]
            batch, end_s = self.messages[rows], self.end_s[rows]
            out, begun = self.sent[rows], self.passed.start_s[rows] < self.t1_s
            yield (
                cell,
                service,
                Passage(
                    sent=batch[out],
                    end_s=end_s[out],
                    used_s=float(self.passed.used_s[rows].sum()),
                    sender_s=float(self.passed.data_s[rows].sum()),
                    begun=batch[begun],
                    data_s=self.passed.data_s[rows][begun],
                    start_s=self.passed.start_s[rows][begun],
                    stop_s=np.minimum(end_s[begun], self.t1_s),
                ),
            )


def send(world: World, kind: str, tick: Tick, line: Line) -> Passing | None:
    """One step of a direction of every cell; None: nothing waits.

    Args:
        world: The run.
        kind: Direction.
        tick: The step.
        line: What waits; in the uplink in both directions, for it may wake cells.
    """
    if world.schedule is None or not len(line.lane):
        return _pass(world, kind, tick, line)
    line, held = schedule.admit(world, kind, line, _waiting(world, line).air_s, tick)
    passing = _pass(world, kind, tick, line)
    schedule.stay(world, kind, held, alone=passing is None)
    return passing


def _pass(world: World, kind: str, tick: Tick, line: Line) -> Passing | None:
    """`send`, of messages that may be sent."""
    line = _heard(world, kind, line)
    mine = world.lanes.kind[line.lane] == KINDS.index(kind)
    if not mine.any():
        world.windows[kind] = air_step.no_windows(len(world.cells))
        return None
    _wake_those_off(world, line)
    before = air_step.no_windows(len(world.cells)) if kind == UP else world.windows[UP]
    stations, cells = cells_table(world, tick, world.lanes.cell[line.lane])
    waiting, passed, windows = air_step.send(
        _waiting(world, line),
        _queue_columns(world.lanes, line, mine),
        cells,
        stations,
        before,
        tick.t0_s,
        tick.t1_s,
        workers=world.workers,
    )
    world.windows[kind] = windows
    line.messages["open_s"] = waiting.open_s
    passing = _kept(world, kind, line, mine, waiting, passed, tick)
    _note_use(world, kind, line, mine, passed)
    _note_waits(world, passing, tick)
    return passing


def _heard(world: World, kind: str, line: Line) -> Line:
    """What a phase looks at; in the uplink also downlink that may wake a cell that has uplink."""
    table, up = world.lanes, KINDS.index(UP)
    direction, cell = table.kind[line.lane], table.cell[line.lane]
    if kind != UP or (direction == up).all():
        return line
    off = np.array([cell.rest.off_from_s is not None for cell in world.cells])
    asks = np.array([waits(cell) for cell in world.cells])
    asks &= off | (np.bincount(cell[direction == up], minlength=len(off)) > 0)
    return line.of((direction == up) | asks[cell])


def waits(cell: Cell) -> bool:
    """Whether its messages may find it asleep or off."""
    rest = cell.rest
    return rest.off_from_s is not None or any(s.transition_s for s in rest.station.sleep)


def _wake_those_off(world: World, line: Line) -> None:
    """Somebody came to cells that are off all the same: nothing is lost."""
    off = np.array([cell.rest.off_from_s is not None for cell in world.cells])
    if not off.any():
        return
    soonest_s = np.full(len(off), np.inf)
    heard_s = np.minimum.reduceat(line.messages["heard_s"], line.first[:-1])
    np.minimum.at(soonest_s, world.lanes.cell[line.lane], heard_s)
    for index in np.flatnonzero(off & (soonest_s < np.inf)).tolist():
        world.cells[index].rest.switch_on(float(soonest_s[index]))


def cells_table(world: World, tick: Tick, queues: IntArray) -> tuple[Stations, Cells]:
    """The cells as the loops of a step take them; `queues` are the cells of the queues."""
    kinds, station = station_kinds(world.cells)
    count = np.bincount(queues, minlength=len(world.cells))
    rests = [cell.rest for cell in world.cells]
    columns = {
        "queue": np.concatenate([[0], np.cumsum(count)]).astype(np.int64),
        "station": station,
        "waits": np.array([any(s.transition_s for s in one.sleep) for one in kinds])[station],
        "deaf": np.array([rest.uplink_wake == "occasion" for rest in rests]),
        "timer_s": np.array([rest.order.timer_s for rest in rests], dtype=np.float64),
        "traffic_end_s": np.array([rest.traffic_end_s for rest in rests]),
        "from_s": np.array([_from_s(cell, tick) for cell in world.cells]),
    }
    stations = air_step.stations_table(kinds, tick.t0_s, tick.t1_s)
    return stations, Cells(**{name: air_step.column(array) for name, array in columns.items()})


def station_kinds(cells: Sequence[Cell]) -> tuple[list[StationPower], IntArray]:
    """Kinds of stations, told by the record that they share, and the number of each cell's."""
    number: dict[int, int] = {}
    stations = [cell.rest.station for cell in cells]
    of = np.array([number.setdefault(id(one), len(number)) for one in stations], dtype=np.int64)
    first = {id(one): one for one in stations}
    return [first[known] for known in number], of


def _from_s(cell: Cell, tick: Tick) -> float:
    """When a cell that is off is up again."""
    rest = cell.rest
    return tick.t0_s if rest.off_from_s is None else max(rest.up_from_s, tick.t0_s)


def _queue_columns(table: Lanes, line: Line, mine: BoolArray) -> Queues:
    columns = {
        "first": line.first.astype(np.int64),
        "pool": table.pool[line.lane],
        "uplink": table.kind[line.lane] == KINDS.index(UP),
        "in_turn": table.in_turn[line.lane],
        "sends": mine,
    }
    return Queues(**{name: air_step.column(array) for name, array in columns.items()})


def _waiting(world: World, line: Line) -> Waiting:
    """Airtime and parts of all messages, at the rates of their terminals."""
    table, radio = world.lanes, world.radio
    rates, parts, size = [], [], 0
    start = np.zeros((len(KINDS), len(table.names)), dtype=np.int64)
    direction, service = table.kind[line.lane], table.service[line.lane]
    for key in np.flatnonzero(np.bincount(direction * len(table.names) + service)).tolist():
        k, n = divmod(key, len(table.names))
        start[k, n] = size
        rates.append(radio.rate_bps[KINDS[k]][table.names[n]])
        parts.append(radio.part_frac[KINDS[k]][table.names[n]])
        size += len(rates[-1])
    who = np.repeat(start[direction, service], np.diff(line.first)) + line.messages["terminal"]
    return Waiting(
        heard_s=line.messages["heard_s"],
        open_s=line.messages["open_s"],
        air_s=line.messages["left_bit"] / np.concatenate(rates)[who],
        part_frac=np.concatenate(parts)[who],
    )


def _kept(
    world: World,
    kind: str,
    line: Line,
    mine: BoolArray,
    waiting: Waiting,
    passed: Passed,
    tick: Tick,
) -> Passing:
    """Put what is left back into the queues; the rest is what went out."""
    table, count, lanes = line.messages, np.diff(line.first), world.lanes
    message_mine = np.repeat(mine, count)
    sent = message_mine & (passed.end_s <= tick.t1_s) & (passed.start_s < tick.t1_s)
    left = np.flatnonzero(message_mine & ~sent)
    need_s = waiting.air_s[left]
    used_frac = np.divide(
        passed.used_s[left], need_s, out=np.zeros_like(need_s), where=need_s > 0.0
    )
    table["left_bit"][left] *= np.clip(1.0 - used_frac, 0.0, 1.0)
    edges = np.searchsorted(left, line.first)
    some = np.diff(edges) > 0
    first = np.append(edges[:-1][some], len(left))
    put_back(world, kind, Line(picked(table, left), line.lane[some], first))
    return Passing(
        kind=kind,
        messages=table,
        names=lanes.names,
        service=np.repeat(lanes.service[line.lane], count),
        cell=np.repeat(lanes.cell[line.lane], count),
        end_s=passed.end_s,
        sent=sent,
        line=line,
        lanes=lanes,
        cells=world.cells,
        passed=passed,
        t1_s=tick.t1_s,
    )


def _note_use(world: World, kind: str, line: Line, mine: BoolArray, passed: Passed) -> None:
    """Airtime of the whole carrier by cell and service, and time of the terminals."""
    table = world.lanes
    used_s = np.add.reduceat(passed.used_s, line.first[:-1]) * table.band_frac[line.lane]
    whole_s = (used_s * table.time_frac[line.lane])[mine]
    data_s = (np.add.reduceat(passed.data_s, line.first[:-1]) * table.time_frac[line.lane])[mine]
    sends = whole_s > 0.0
    lanes, whole_s = line.lane[mine][sends], whole_s[sends]
    world.tally.sending_s[lanes] = whole_s
    world.tally.sender_s[lanes] = data_s[sends]
    world.tally.demand_s[lanes] += whole_s
    of_cell_s = np.bincount(table.cell[lanes], weights=whole_s, minlength=len(world.cells))
    for index in np.flatnonzero(of_cell_s).tolist():
        used = world.cells[index].rest.used_s
        used[kind] = used.get(kind, 0.0) + float(of_cell_s[index])


def _note_waits(world: World, passing: Passing, tick: Tick) -> None:
    """Count what came in this step and how long it waited for its cell."""
    lane = np.repeat(passing.line.lane, np.diff(passing.line.first))
    rows = np.flatnonzero(passing.lanes.kind[lane] == KINDS.index(passing.kind))
    heard_s, open_s = (passing.messages[name][rows] for name in ("heard_s", "open_s"))
    new = heard_s >= tick.t0_s
    cell, wait_s = passing.cell[rows][new], (open_s - heard_s)[new]
    size = len(world.cells)
    came = np.bincount(cell, minlength=size)
    late = wait_s > 0.0
    woken = np.bincount(cell[late], minlength=size)
    total_s = np.bincount(cell[late], weights=wait_s[late], minlength=size)
    longest_s = np.zeros(size)
    np.maximum.at(longest_s, cell[late], wait_s[late])
    for index in np.flatnonzero(came).tolist():
        if not waits(world.cells[index]):
            continue
        note: Waits = world.cells[index].rest.waits[passing.kind]
        note.messages += int(came[index])
        note.woken += int(woken[index])
        note.wait_s += float(total_s[index])
        note.longest_s = max(note.longest_s, float(longest_s[index]))


def nothing_sent(world: World) -> dict[str, Windows]:
    """No traffic in either direction."""
    return {kind: air_step.no_windows(len(world.cells)) for kind in (UP, DOWN)}
