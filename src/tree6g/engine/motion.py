"""Users who move: their gains are computed anew where it matters, and cells hand them over.

Users outdoors walk by random waypoint (`radio.mobility`) over the area of the sites; who is in a
building stays. Gains come from the same fields over the ground at every time, so that a user who
comes back hears what was heard before. They are renewed once a user is 5 m from where they were
last computed; a cell is left for another that is received 3 dB better (event A3 of TS 38.331, the
value is typical). A handover takes no time, and what an edge server of the old site still sends
reaches the new one without a link.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from tree6g.engine import radio
from tree6g.engine.crowd import IntArray
from tree6g.engine.world import Tick, World
from tree6g.radio import mobility
from tree6g.radio.drop import Terminals
from tree6g.radio.pathloss import FloatArray
from tree6g.scenario.model import Site

LEAST_M: Final = 5.0  # below the correlation distances of shadowing, 7 m and more
HANDOVER_DB: Final = 3.0
SPREAD: Final = (0.5, 1.5)  # slowest and fastest leg over the mean speed
AROUND_M: Final = 1.0  # least half width of the area


@dataclasses.dataclass(slots=True, kw_only=True, eq=False)
class Motion:
    """The users who move.

    Attributes:
        rng: Draws where they go.
        rules: Of their walk.
        who: Their numbers among the users. [walker]
        walkers: Where they are.
        terminals: All users, at the places for which their gains hold.
        gain_db: Gains of terminals at their places. [terminal, cell]
        handovers: So far.
    """

    rng: np.random.Generator
    rules: mobility.Waypoints
    who: IntArray
    walkers: mobility.Walkers
    terminals: Terminals
    gain_db: Callable[[Terminals], FloatArray]
    handovers: int = 0


def motion(
    rng: np.random.Generator,
    speed_m_per_s: float,
    sites: Sequence[Site],
    users: Terminals,
    gain_db: Callable[[Terminals], FloatArray],
) -> tuple[Motion, Terminals]:
    """Users outdoors set in motion, at places that random waypoint would find them at.

    Args:
        rng: Draws where they are and go.
        speed_m_per_s: Mean speed of a leg.
        sites: All sites; the area is theirs and a radius around it.
        users: All users.
        gain_db: Gains of terminals. [terminal, cell]
    """
    xy_m = np.array([(s.position.x_m, s.position.y_m) for s in sites if s.position is not None])
    reach_m = max(AROUND_M, *(site.radius_m for site in sites))
    low_m, high_m = (xy_m.min(axis=0) - reach_m).tolist(), (xy_m.max(axis=0) + reach_m).tolist()
    rules = mobility.Waypoints(
        low_m=(low_m[0], low_m[1]),
        high_m=(high_m[0], high_m[1]),
        speed_m_per_s=(SPREAD[0] * speed_m_per_s, SPREAD[1] * speed_m_per_s),
    )
    who = np.flatnonzero(~users.indoor)
    walkers = mobility.stationary(rng, rules, len(who))
    position_m = users.position_m.copy()
    position_m[who, :2] = walkers.position_m
    there = users.moved(position_m)
    moving = Motion(
        rng=rng, rules=rules, who=who, walkers=walkers, terminals=there, gain_db=gain_db
    )
    return moving, there


def move(world: World, tick: Tick) -> None:
    """One step of everybody who moves."""
    moving = world.motion
    if moving is None:
        return
    moving.walkers = mobility.advance(moving.rng, moving.rules, moving.walkers, tick.step_s)
    known_m = moving.terminals.position_m.copy()
    away, xy_m = mobility.moved(moving.walkers.position_m, known_m[moving.who, :2], LEAST_M)
    known_m[moving.who, :2] = xy_m
    moving.terminals = moving.terminals.moved(known_m)
    rows = moving.who[away]
    if len(rows):
        users = world.radio.users
        users.gain_db[rows] = moving.gain_db(moving.terminals.select(rows))
        moving.handovers += radio.follow(world, users, rows, HANDOVER_DB)


def notes(world: World) -> list[str]:
    """Who moved, for the header."""
    if world.motion is None:
        return []
    walkers, users = len(world.motion.who), len(world.radio.users)
    times = world.motion.handovers
    return [f"{walkers:,} of {users:,} users walked and were handed over {times:,} times."]
