"""Sums of a ledger interval that all cells have, as arrays; the book takes them when it ends."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

import numpy as np

from tree6g.engine.lanes import KINDS, Lanes
from tree6g.radio.pathloss import FloatArray

if TYPE_CHECKING:
    from tree6g.engine.world import World

SHARED: Final = ("sleep", "idle", "transition", "broadcast")  # states that carry no service's name


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tally:
    """What cells and their lanes did, spent and sent; all of it is zero after an interval.

    Attributes:
        sending_s: Time of the whole carrier used in the running step. [lane]
        sender_s: Time that terminals sent or received in the running step. [lane]
        demand_s: Time of the whole carrier used. [lane]
        bit: Bits of messages that came through. [lane]
        active_j: Traffic above awake, and the cooling and power supply that it needs. [2, lane]
        terminal_j: Terminals that send. [lane]
        shared_j: The station by state of `SHARED`, and cooling and supply. [2, state, cell]
        used_s: Time of the carrier used. [direction, cell]
        available_s: Time of it there was. [direction, cell]
    """

    sending_s: FloatArray
    sender_s: FloatArray
    demand_s: FloatArray
    bit: FloatArray
    active_j: FloatArray
    terminal_j: FloatArray
    shared_j: FloatArray
    used_s: FloatArray
    available_s: FloatArray


def tally(lanes: Lanes, cells: int) -> Tally:
    """Nothing yet."""
    shapes: dict[str, tuple[int, ...]] = {
        "active_j": (2, len(lanes)),
        "shared_j": (2, len(SHARED), cells),
        "used_s": (len(KINDS), cells),
        "available_s": (len(KINDS), cells),
    }
    names = [field.name for field in dataclasses.fields(Tally)]
    return Tally(**{name: np.zeros(shapes.get(name, len(lanes))) for name in names})


def close(world: World, station: str, terminal: str, site: str) -> None:
    """Put the sums into the book and start anew.

    Args:
        world: The run.
        station: Source of what base stations draw.
        terminal: Source of what terminals draw.
        site: Source of cooling and power supply.
    """
    _close_work(world)
    _close_states(world, station, site)
    _close_active(world, station, terminal, site)
    for field in dataclasses.fields(Tally):
        getattr(world.tally, field.name)[:] = 0.0


def _close_work(world: World) -> None:
    table, sums = world.lanes, world.tally
    for lane in np.flatnonzero((sums.demand_s != 0.0) | (sums.bit != 0.0)).tolist():
        world.book.do(
            world.cells[table.cell[lane]].node,
            table.names[table.service[lane]],
            KINDS[table.kind[lane]],
            float(sums.bit[lane]),
            demand=float(sums.demand_s[lane]),
        )
    for cell in world.cells:
        for direction, kind in reversed(list(enumerate(KINDS))):
            available_s = float(sums.available_s[direction, cell.index])
            used_s = float(sums.used_s[direction, cell.index])
            world.book.counters.use(cell.node, kind, used_s, available_s)


def _close_states(world: World, station: str, site: str) -> None:
    sums, book = world.tally, world.book
    for cell in world.cells:
        for n, state in enumerate(SHARED):
            own_j, over_j = sums.shared_j[:, n, cell.index].tolist()
            book.spend(cell.node, "radio_unit", state, own_j, source=station)
            book.spend(cell.node, "cooling", state, over_j, source=site)


def _close_active(world: World, station: str, terminal: str, site: str) -> None:
    table, sums, book = world.lanes, world.tally, world.book
    for lane in np.flatnonzero(sums.active_j.any(axis=0) | (sums.terminal_j != 0.0)).tolist():
        cell, name = world.cells[table.cell[lane]], table.names[table.service[lane]]
        own_j, over_j = sums.active_j[:, lane].tolist()
        book.spend(cell.node, "radio_unit", "active", own_j, source=station, service=name)
        book.spend(cell.node, "cooling", "active", over_j, source=site, service=name)
        sent_j = float(sums.terminal_j[lane])
        book.spend(cell.terminals, "terminal", "active", sent_j, source=terminal, service=name)
