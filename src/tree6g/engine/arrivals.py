"""Phase 1: what users and devices ask for in this step."""

from __future__ import annotations

import numpy as np

from tree6g.engine import lanes, listening
from tree6g.engine.airtime import messages
from tree6g.engine.crowd import DOWN, UP
from tree6g.engine.radio import push
from tree6g.engine.world import Tick, World


def draw(world: World, tick: Tick) -> None:
    """AI requests of the step, and data messages into the queues of their cells."""
    arrival_s = world.requests.arrival_s
    end = int(np.searchsorted(arrival_s, tick.t1_s, side="left"))
    tick.requests = range(world.next_request, end)
    world.next_request = end
    until_s = min(tick.t1_s, world.arrivals_end_s)
    if until_s > tick.t0_s:
        _draw_data(world, tick, until_s)
    listening.hear(world, tick, {source.spec.name for source in world.sources})


def _draw_data(world: World, tick: Tick, until_s: float) -> None:
    for source in world.sources:
        ready_s, sender, byte = source.arrivals.window(tick.t0_s, until_s)
        if not len(ready_s):
            continue
        spec, crowd = source.spec, world.radio.crowd_of[source.spec.name]
        terminal = crowd.terminal(*np.divmod(sender, spec.sources))
        kind = UP if spec.direction == "up" else DOWN
        batch = messages(ready_s, 8.0 * byte, terminal)
        if kind == DOWN and world.listening is not None:
            lanes.hold(world, spec.name, batch)
        else:
            push(world, kind, spec.name, batch)
