"""Who could serve a terminal: what a sleep policy must know before it takes anything away."""

from __future__ import annotations

from typing import Final

import numpy as np

from tree6g.engine.crowd import DOWN, UP, Crowd
from tree6g.engine.radio import margin_sinr_db, received_db
from tree6g.engine.rates import QUALITY
from tree6g.engine.world import Cell, World
from tree6g.radio.pathloss import FloatArray

# Above the least SINR of a link: what shadowing and interference of the moment may take.
MARGIN_DB: Final = 3.0


def covering(world: World) -> list[frozenset[frozenset[int]]]:
    """By cell, the other cells that could serve each terminal whose strongest cell it is.

    Terminals with the same other cells count once. A cell could serve a terminal, muted as it is
    now, if both directions are 3 dB above the least SINR of the link, or no nearer to it than with
    the terminal's strongest cell: whom that one hardly reaches loses nothing. Cells that have
    failed are not there.
    """
    state = tuple((c.band_frac, c.downlink_db, c.uplink_db, c.out) for c in world.cells)
    if world.radio.covering is not None and world.radio.covering[0] == state:
        return world.radio.covering[1]
    found: list[set[frozenset[int]]] = [set() for _ in world.cells]
    out = np.array([cell.out for cell in world.cells])
    for crowd in world.radio.crowds():
        heard_db = np.where(out, -np.inf, received_db(world, crowd))
        home = np.argmax(heard_db, axis=1)
        slack_db = np.stack([_slack_db(cell, crowd) for cell in world.cells], axis=1)
        row = np.arange(len(home))
        asked_db = np.minimum(MARGIN_DB, slack_db[row, home])
        able = (slack_db >= asked_db[:, None]) & ~out  # [terminal, cell]
        able[row, home] = False
        heard = np.isfinite(heard_db[row, home])
        home, able = home[heard], able[heard]
        for one in np.unique(np.column_stack([home, able]), axis=0):
            found[int(one[0])].add(frozenset(np.flatnonzero(one[1:]).tolist()))
    covers = [frozenset(sets) for sets in found]
    world.radio.covering = (state, covers)
    return covers


def least_antennas(world: World, cell: Cell) -> float:
    """Least share of transceivers with which the cell still reaches all terminals it serves.

    The downlink loses the share twice (power and array gain), the uplink once.
    """
    state = (cell.band_frac, cell.downlink_db, cell.uplink_db)
    known = world.radio.reach.get(cell.index)
    if known is not None and known[0] == state:
        return known[1]
    shares = [1e-9]
    for crowd in world.radio.crowds():
        mine = crowd.serving == cell.index
        gain_db = crowd.gain_db[mine, cell.index]
        if len(gain_db):
            for kind, per_db in ((DOWN, 20.0), (UP, 10.0)):
                muted_db = cell.downlink_db if kind == DOWN else cell.uplink_db
                worst_db = float(_sinr_db(cell, kind, gain_db).min()) - muted_db
                shares.append(10.0 ** ((QUALITY[kind].sinr_min_db - worst_db) / per_db))
    least = min(1.0, max(shares))
    world.radio.reach[cell.index] = (state, least)
    return least


def _slack_db(cell: Cell, crowd: Crowd) -> FloatArray:
    """Distance to the least SINR in the worse direction. [terminal]."""
    gain_db = crowd.gain_db[:, cell.index]
    down_db, up_db = (
        _sinr_db(cell, kind, gain_db) - QUALITY[kind].sinr_min_db for kind in (DOWN, UP)
    )
    return np.minimum(down_db, up_db)


def _sinr_db(cell: Cell, kind: str, gain_db: FloatArray) -> FloatArray:
    return margin_sinr_db(cell, kind, gain_db, cell.band_frac)
