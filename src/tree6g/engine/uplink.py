"""Phase 3: prompts and uploads on the air."""

from __future__ import annotations

from tree6g.engine import air, lanes, learning, listening
from tree6g.engine.airtime import picked
from tree6g.engine.crowd import UP
from tree6g.engine.delivery import deliver_data, do_bits
from tree6g.engine.load import settle
from tree6g.engine.world import Tick, World


def send(world: World, tick: Tick) -> None:
    """One step of every cell's uplink; prompts that are through go on to the transport."""
    line = lanes.gather(world, lanes.KINDS)
    settle(world, UP, tick, line)
    passing = air.send(world, UP, tick, line)
    if passing is None:
        return
    listening.observe_all(world, passing, tick)
    latency_s = world.latencies_s(UP)
    answered = {service.spec.name for service in world.ai}
    for number, service in enumerate(passing.names):
        rows = passing.out_of(number)
        if not len(rows):
            continue
        sent, cell, end_s = picked(passing.messages, rows), passing.cell[rows], passing.end_s[rows]
        reached_s = end_s + latency_s[cell]
        world.book.counters.see(service, UP, cell, sent, end_s, reached_s)
        if world.learning is not None and service == world.learning.spec.name:
            learning.received(world, UP, cell, sent, reached_s)
            continue
        if service not in answered:
            deliver_data(world, service, UP, cell, sent, reached_s)
            continue
        do_bits(world, service, UP, cell, sent["bit"])
        whole = sent["ref"] >= 0  # what is below are tensors of models that are shared
        tick.prompts.append((sent["ref"][whole], reached_s[whole], sent["bit"][whole]))
