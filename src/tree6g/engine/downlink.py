"""Phase 6: token chunks and downloads on the air, and what reaches the users."""

from __future__ import annotations

import numpy as np

from tree6g.engine import listening
from tree6g.engine.airtime import Messages
from tree6g.engine.crowd import DOWN, IntArray
from tree6g.engine.delivery import deliver_data, deliver_tokens
from tree6g.engine.load import settle
from tree6g.engine.sleep import open_downlink
from tree6g.engine.world import Tick, World
from tree6g.radio.pathloss import FloatArray


def send(world: World, tick: Tick) -> None:
    """One step of every cell's downlink."""
    if world.listening is not None:
        listening.hear(world, tick, [service.spec.name for service in world.ai])
    else:
        for cell in world.cells:
            cell.release(tick.t1_s)
    settle(world, DOWN, tick)
    paces = world.radio.paces(DOWN)
    answered = {service.spec.name for service in world.ai}
    for index, cell in enumerate(world.cells):
        open_downlink(world, cell, tick)
        for service, passage in cell.advance(DOWN, tick, world.book, paces):
            sent, reached_s = passage.sent, passage.end_s + cell.downlink.latency_s
            world.book.counters.see(cell.node, service, DOWN, passage, cell.downlink.latency_s)
            listening.observe(world, cell, DOWN, service, passage, tick)
            if not len(sent):
                continue
            if service not in answered:
                deliver_data(world, index, service, "bit_dl", sent, reached_s)
                continue
            world.book.do(cell.node, service, "bit_dl", float(sent["bit"].sum()))
            chunks = sent["ref"] >= 0  # what is below are keys and values that change hands
            if chunks.any():
                deliver_tokens(world, *_tokens(sent[chunks], reached_s[chunks]))


def _tokens(sent: Messages, reached_s: FloatArray) -> tuple[IntArray, IntArray, FloatArray]:
    """The tokens inside chunks: request, number, time of their chunk. [token]."""
    size = sent["tok"]
    if (size == 1).all():
        return sent["ref"], sent["number"], reached_s
    offset = np.arange(int(size.sum())) - np.repeat(np.cumsum(size) - size, size)
    number = np.repeat(sent["number"] - size + 1, size) + offset
    return np.repeat(sent["ref"], size), number, np.repeat(reached_s, size)
