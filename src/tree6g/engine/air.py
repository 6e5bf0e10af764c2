"""One direction of all cells at once: waiting messages as one flat table, through a step.

`engine.airtime.Pool.advance` states the same for one pool, and `radio.wake` for one sleeping cell.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tree6g.engine.airtime import Messages, Passage, all_joined, picked
from tree6g.engine.crowd import DOWN, UP, IntArray
from tree6g.engine.rest import Waits
from tree6g.engine.world import Cell, Tick, World
from tree6g.radio import air_step
from tree6g.radio.pathloss import FloatArray
from tree6g.radio.power import StationPower
from tree6g.radio.step_tables import Cells, Passed, Queues, Stations, Waiting, Windows

BoolArray = npt.NDArray[np.bool_]


class _Queue(NamedTuple):
    """A queue with messages, and where it is."""

    cell: Cell
    pool: int
    band_frac: float
    in_turn: bool
    kind: str
    service: str
    messages: Messages


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
        passages: What `passage` needs, by queue.
    """

    kind: str
    messages: Messages
    names: tuple[str, ...]
    service: IntArray
    cell: IntArray
    end_s: FloatArray
    sent: BoolArray
    passages: tuple[tuple[Cell, str, slice], ...]
    passed: Passed
    t1_s: float

    def out_of(self, service: int) -> IntArray:
        """Messages of a service that went out whole. [message]."""
        return np.flatnonzero(self.sent & (self.service == service))

    def each(self) -> Iterator[tuple[Cell, str, Passage]]:
        """The passage of every queue by itself."""
        for cell, service, rows in self.passages:
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


def send(world: World, kind: str, tick: Tick) -> Passing | None:
    """One step of a direction of every cell; None: nothing waits."""
    queues = list(_queues(world, kind))
    mine = [queue for queue in queues if queue.kind == kind]
    if not mine:
        world.windows[kind] = air_step.no_windows(len(world.cells))
        return None
    table = all_joined([queue.messages for queue in queues])
    first = np.cumsum([0, *(len(queue.messages) for queue in queues)])
    _wake_those_off(queues)
    before = air_step.no_windows(len(world.cells)) if kind == UP else world.windows[UP]
    stations, cells = cells_table(world, tick, queues)
    waiting, passed, windows = air_step.send(
        _waiting(world, queues, table, first),
        _queue_columns(queues, first, kind),
        cells,
        stations,
        before,
        tick.t0_s,
        tick.t1_s,
        workers=world.workers,
    )
    world.windows[kind] = windows
    table["open_s"] = waiting.open_s
    passing = _kept(queues, kind, table, first, waiting, passed, tick)
    _note_use(world, kind, queues, first, passed)
    _note_waits(world, passing, tick)
    return passing


def _queues(world: World, kind: str) -> Iterator[_Queue]:
    """Queues with messages, cell by cell; in the uplink also what else may wake the cell."""
    pools = 0
    for cell in world.cells:
        mine = list(_of(cell, kind, pools))
        pools += len(cell.carrier(kind).pools)
        yield from mine
        other = DOWN if kind == UP else None
        if other is not None:
            if waits(cell) and (mine or cell.rest.off_from_s is not None):
                yield from _of(cell, other, pools)
            pools += len(cell.carrier(other).pools)


def _of(cell: Cell, kind: str, number: int) -> Iterator[_Queue]:
    for pool in cell.carrier(kind).pools:
        queues = pool.queues
        if queues:
            for service in pool.services:
                if service in queues and len(queues[service]):
                    yield _Queue(
                        cell, number, pool.band_frac, pool.in_turn, kind, service, queues[service]
                    )
        number += 1


def waits(cell: Cell) -> bool:
    """Whether its messages may find it asleep or off."""
    rest = cell.rest
    return rest.off_from_s is not None or any(s.transition_s for s in rest.station.sleep)


def _wake_those_off(queues: Sequence[_Queue]) -> None:
    """Somebody came to cells that are off all the same: nothing is lost."""
    ready_s: dict[int, float] = {}
    for queue in queues:
        if queue.cell.rest.off_from_s is not None:
            soonest = float(queue.messages["heard_s"].min())
            index = queue.cell.index
            ready_s[index] = min(soonest, ready_s.get(index, soonest))
    for queue in queues:
        if queue.cell.index in ready_s:
            queue.cell.rest.switch_on(ready_s[queue.cell.index])


def cells_table(world: World, tick: Tick, queues: Sequence[_Queue] = ()) -> tuple[Stations, Cells]:
    """The cells as the loops of a step take them."""
    number: dict[StationPower, int] = {}
    station = [number.setdefault(cell.rest.station, len(number)) for cell in world.cells]
    count = np.bincount([queue.cell.index for queue in queues], minlength=len(world.cells))
    rests = [cell.rest for cell in world.cells]
    columns = {
        "queue": np.concatenate([[0], np.cumsum(count)]).astype(np.int64),
        "station": np.array(station, dtype=np.int64),
        "waits": np.array([any(s.transition_s for s in rest.station.sleep) for rest in rests]),
        "deaf": np.array([rest.uplink_wake == "occasion" for rest in rests]),
        "timer_s": np.array([rest.order.timer_s for rest in rests], dtype=np.float64),
        "traffic_end_s": np.array([rest.traffic_end_s for rest in rests]),
        "from_s": np.array([_from_s(cell, tick) for cell in world.cells]),
    }
    stations = air_step.stations_table(list(number), tick.t0_s, tick.t1_s)
    return stations, Cells(**{name: air_step.column(array) for name, array in columns.items()})


def _from_s(cell: Cell, tick: Tick) -> float:
    """When a cell that is off is up again."""
    rest = cell.rest
    return tick.t0_s if rest.off_from_s is None else max(rest.up_from_s, tick.t0_s)


def _queue_columns(queues: Sequence[_Queue], first: IntArray, kind: str) -> Queues:
    columns = {
        "first": first.astype(np.int64),
        "pool": np.array([queue.pool for queue in queues], dtype=np.int64),
        "uplink": np.array([queue.kind == UP for queue in queues]),
        "in_turn": np.array([queue.in_turn for queue in queues]),
        "sends": np.array([queue.kind == kind for queue in queues]),
    }
    return Queues(**{name: air_step.column(array) for name, array in columns.items()})


def _waiting(world: World, queues: Sequence[_Queue], table: Messages, first: IntArray) -> Waiting:
    """Airtime and parts of all messages, at the rates of their terminals."""
    rates, parts, start = [], [], {}
    size = 0
    for queue in queues:
        key = (queue.kind, queue.service)
        if key not in start:
            start[key] = size
            rates.append(world.radio.rate_bps[queue.kind][queue.service])
            parts.append(world.radio.part_frac[queue.kind][queue.service])
            size += len(rates[-1])
    begins = np.array([start[queue.kind, queue.service] for queue in queues])
    who = np.repeat(begins, np.diff(first)) + table["terminal"]
    return Waiting(
        heard_s=table["heard_s"],
        open_s=table["open_s"],
        air_s=table["left_bit"] / np.concatenate(rates)[who],
        part_frac=np.concatenate(parts)[who],
    )


def _kept(
    queues: Sequence[_Queue],
    kind: str,
    table: Messages,
    first: IntArray,
    waiting: Waiting,
    passed: Passed,
    tick: Tick,
) -> Passing:
    """Put what is left back into the queues; the rest is what went out."""
    mine = np.array([queue.kind == kind for queue in queues])
    message_mine = np.repeat(mine, np.diff(first))
    sent = message_mine & (passed.end_s <= tick.t1_s) & (passed.start_s < tick.t1_s)
    left = np.flatnonzero(message_mine & ~sent)
    need_s = waiting.air_s[left]
    used_frac = np.divide(
        passed.used_s[left], need_s, out=np.zeros_like(need_s), where=need_s > 0.0
    )
    table["left_bit"][left] *= np.clip(1.0 - used_frac, 0.0, 1.0)
    rest = picked(table, left)
    edges = np.searchsorted(left, first)
    for n, queue in enumerate(queues):
        if queue.kind == kind:
            pool = queue.cell.carrier(kind).pool_of(queue.service)
            del pool.queues[queue.service]
            if edges[n + 1] > edges[n]:
                pool.queues[queue.service] = rest[edges[n] : edges[n + 1]]
    names = tuple(dict.fromkeys(queue.service for queue in queues))
    number = {name: n for n, name in enumerate(names)}
    count = np.diff(first)
    return Passing(
        kind=kind,
        messages=table,
        names=names,
        service=np.repeat([number[queue.service] for queue in queues], count),
        cell=np.repeat([queue.cell.index for queue in queues], count),
        end_s=passed.end_s,
        sent=sent,
        passages=tuple(
            (queue.cell, queue.service, slice(*first[n : n + 2].tolist()))
            for n, queue in enumerate(queues)
            if queue.kind == kind
        ),
        passed=passed,
        t1_s=tick.t1_s,
    )


def _note_use(
    world: World, kind: str, queues: Sequence[_Queue], first: IntArray, passed: Passed
) -> None:
    """Airtime of the whole carrier by cell and service, and time of the terminals."""
    used_s = np.add.reduceat(passed.used_s, first[:-1]).tolist()
    data_s = np.add.reduceat(passed.data_s, first[:-1]).tolist()
    for queue, used, data in zip(queues, used_s, data_s, strict=True):
        if queue.kind != kind:
            continue
        cell, time_frac = queue.cell, queue.cell.carrier(kind).time_frac
        whole_s = used * queue.band_frac * time_frac
        if whole_s > 0.0:
            cell.sending_s[kind, queue.service] = whole_s
            cell.sender_s[kind, queue.service] = data * time_frac
            cell.rest.used_s[kind] = cell.rest.used_s.get(kind, 0.0) + whole_s
        world.book.do(cell.node, queue.service, kind, 0.0, demand=whole_s)


def _note_waits(world: World, passing: Passing, tick: Tick) -> None:
    """Count what came in this step and how long it waited for its cell."""
    rows = np.concatenate([np.arange(s.start, s.stop) for _, _, s in passing.passages])
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
