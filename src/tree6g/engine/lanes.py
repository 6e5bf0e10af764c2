"""All messages that wait for the air, as one table: lane by lane.

A lane is the queue of one service in one direction of one cell. Messages that come in within a step
stand in `World.incoming` as they came, and are put into the order of the lanes once per phase; what
a phase leaves stands in the queues of the pools.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from tree6g.engine.airtime import NOTHING, Messages, Pool, all_joined, by_cell, joined, picked
from tree6g.engine.crowd import DOWN, UP, IntArray
from tree6g.radio.pathloss import FloatArray

if TYPE_CHECKING:
    from tree6g.engine.world import Cell, World

BoolArray = npt.NDArray[np.bool_]
KINDS = (UP, DOWN)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lanes:
    """All lanes of a network: cell by cell, uplink first, pool by pool. Arrays are [lane].

    Attributes:
        names: Services by number.
        number: Lane of each service at each cell, by direction; -1: none. [service, cell]
        cell: Number of its cell.
        kind: 0 for the uplink, 1 for the downlink.
        service: Number of its service.
        pool: Number of its pool.
        pools: The pool itself.
        band_frac: Part of the band that the pool has.
        time_frac: Share of time of its direction.
        in_turn: Whether its messages share the time.
    """

    names: tuple[str, ...]
    number: dict[str, IntArray]
    cell: IntArray
    kind: IntArray
    service: IntArray
    pool: IntArray
    pools: Sequence[Pool]
    band_frac: FloatArray
    time_frac: FloatArray
    in_turn: BoolArray

    def __len__(self) -> int:
        return len(self.cell)


class Line(NamedTuple):
    """Messages that wait in some lanes.

    Attributes:
        messages: The messages, lane by lane, a copy. [message]
        lane: Lanes with messages, ascending. [queue]
        first: First message of each, and their number at the end. [queue + 1]
    """

    messages: Messages
    lane: IntArray
    first: IntArray

    def of(self, wanted: BoolArray) -> Line:
        """Some of the queues. [queue]."""
        if wanted.all():
            return self
        count = np.diff(self.first)
        first = np.concatenate([[0], np.cumsum(count[wanted])])
        return Line(picked(self.messages, np.repeat(wanted, count)), self.lane[wanted], first)


def lanes(cells: Sequence[Cell], names: Sequence[str]) -> Lanes:
    """The lanes of some cells, which have no others later on."""
    order = {name: n for n, name in enumerate(names)}
    rows: list[tuple[float, ...]] = []
    pools: list[Pool] = []
    pool = -1
    number = {kind: np.full((len(names), len(cells)), -1) for kind in KINDS}
    for cell in cells:
        for direction, kind in enumerate(KINDS):
            carrier = cell.carrier(kind)
            for one in carrier.pools:
                pool += 1
                for service in one.services:
                    number[kind][order[service], cell.index] = len(rows)
                    row = (cell.index, direction, order[service], pool)
                    rows.append((*row, one.band_frac, carrier.time_frac, one.in_turn))
                    pools.append(one)
    columns = tuple(zip(*rows, strict=True)) if rows else ((),) * 7
    whole = [np.array(column, dtype=np.int64) for column in columns[:4]]
    return Lanes(
        names=tuple(names),
        number=number,
        cell=whole[0],
        kind=whole[1],
        service=whole[2],
        pool=whole[3],
        pools=pools,
        band_frac=np.array(columns[4], dtype=np.float64),
        time_frac=np.array(columns[5], dtype=np.float64),
        in_turn=np.array(columns[6], dtype=np.bool_),
    )


def gather(world: World, kinds: Iterable[str]) -> Line:
    """Everything that waits in some directions."""
    table, wanted = world.lanes, frozenset(kinds)
    parts, keys = [], []
    for number, queue in _left(world, wanted):
        parts.append(queue)
        keys.append(np.full(len(queue), number))
    for kind, service, batch in world.incoming:
        if kind in wanted and len(batch):
            serving = world.radio.crowd_of[service].serving[batch["terminal"]]
            parts.append(batch)
            keys.append(table.number[kind][table.names.index(service)][serving])
    if not parts:
        return Line(NOTHING, np.empty(0, dtype=np.int64), np.zeros(1, dtype=np.int64))
    key = np.concatenate(keys)
    # Numbers of 16 bits are sorted by counting.
    order = np.argsort(key.astype(np.uint16 if len(table) < 1 << 16 else np.int64), kind="stable")
    count = np.bincount(key, minlength=len(table))
    lane = np.flatnonzero(count)
    first = np.concatenate([[0], np.cumsum(count[lane])])
    return Line(picked(all_joined(parts), order), lane, first)


def _left(world: World, kinds: frozenset[str]) -> Iterator[tuple[int, Messages]]:
    """Queues that a step has left, with their lanes."""
    table = world.lanes
    for cell in world.cells:
        for kind in KINDS:
            if kind not in kinds:
                continue
            for pool in cell.carrier(kind).pools:
                for service, queue in pool.queues.items():
                    if len(queue):
                        number = table.number[kind][table.names.index(service), cell.index]
                        yield int(number), queue


def put_back(world: World, kind: str, line: Line) -> None:
    """What is left of a direction; all that came in has been looked at."""
    world.incoming[:] = [entry for entry in world.incoming if entry[0] != kind]
    for cell in world.cells:
        for pool in cell.carrier(kind).pools:
            pool.queues.clear()
    keep(world, line)


def keep(world: World, line: Line) -> None:
    """Put messages into queues, behind what is there."""
    edges, table = line.first.tolist(), world.lanes
    for n, lane in enumerate(line.lane.tolist()):
        part = line.messages[edges[n] : edges[n + 1]]
        table.pools[lane].push(table.names[table.service[lane]], part)


def seat(world: World) -> None:
    """Put what has come in into the queues, for those who look there within a step."""
    for kind, service, batch in world.incoming:
        serving = world.radio.crowd_of[service].serving[batch["terminal"]]
        for index, part in by_cell(serving, batch):
            world.cells[index].push(kind, service, part)
    world.incoming.clear()


def hold(world: World, service: str, batch: Messages) -> None:
    """Keep chunks that are on their way to the cells."""
    held = world.chunks.get(service)
    world.chunks[service] = batch if held is None else joined(held, batch)


def release(world: World, until_s: float, services: Sequence[str] | None = None) -> None:
    """Queue what may be sent before `until_s`, of some services or all."""
    for service, held in world.chunks.items():
        if not len(held) or (services is not None and service not in services):
            continue
        here = held["heard_s"] < until_s
        due = held if here.all() else picked(held, here)
        heard_s = due["heard_s"]
        if (heard_s[1:] < heard_s[:-1]).any():
            due = picked(due, np.argsort(heard_s, kind="stable"))
        world.incoming.append((DOWN, service, due))
        world.chunks[service] = held[:0] if here.all() else picked(held, ~here)


def held_at(world: World, cell: int) -> Iterator[tuple[str, Messages]]:
    """Chunks on their way to a cell, by service."""
    for service, held in world.chunks.items():
        if len(held):
            here = world.radio.crowd_of[service].serving[held["terminal"]] == cell
            if here.any():
                yield service, picked(held, here)


def drop_held(world: World, cell: int) -> None:
    """Forget chunks on their way to a cell."""
    for service, held in world.chunks.items():
        serving = world.radio.crowd_of[service].serving[held["terminal"]]
        world.chunks[service] = held[serving != cell]
