"""Phase 6: token chunks and downloads on the air, and what reaches the users."""

from __future__ import annotations

from tree6g.engine import air, lanes, learning, listening
from tree6g.engine.airtime import picked
from tree6g.engine.crowd import DOWN
from tree6g.engine.delivery import deliver_chunks, deliver_data, do_bits
from tree6g.engine.load import settle
from tree6g.engine.world import Tick, World


def send(world: World, tick: Tick) -> None:
    """One step of every cell's downlink."""
    if world.listening is not None:
        named = [service.spec.name for service in world.ai]
        named += [] if world.learning is None else [world.learning.spec.name]
        listening.hear(world, tick, named)
    else:
        lanes.release(world, tick.t1_s)
    line = lanes.gather(world, [DOWN])
    settle(world, DOWN, tick, line)
    passing = air.send(world, DOWN, tick, line)
    if passing is None:
        return
    listening.observe_all(world, passing, tick)
    latency_s = world.latencies_s(DOWN)
    answered = {service.spec.name for service in world.ai}
    for number, service in enumerate(passing.names):
        rows = passing.out_of(number)
        if not len(rows):
            continue
        sent, at, end_s = picked(passing.messages, rows), passing.cell[rows], passing.end_s[rows]
        reached_s = end_s + latency_s[at]
        world.book.counters.see(service, DOWN, at, sent, end_s, reached_s)
        if world.learning is not None and service == world.learning.spec.name:
            learning.received(world, DOWN, at, sent, reached_s)
            continue
        if service not in answered:
            deliver_data(world, service, DOWN, at, sent, reached_s)
            continue
        do_bits(world, service, DOWN, at, sent["bit"])
        chunks = sent["ref"] >= 0  # what is below are keys and values that change hands
        if chunks.any():
            if not chunks.all():
                sent, reached_s = picked(sent, chunks), reached_s[chunks]
            ref, last, tok = (sent[name].copy() for name in ("ref", "number", "tok"))
            deliver_chunks(world, ref, last, tok, reached_s)
