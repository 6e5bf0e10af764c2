"""Phase 3: prompts and uploads on the air."""

from __future__ import annotations

from tree6g.engine import listening
from tree6g.engine.crowd import UP
from tree6g.engine.delivery import deliver_data
from tree6g.engine.load import settle
from tree6g.engine.sleep import open_uplink
from tree6g.engine.world import Tick, World


def send(world: World, tick: Tick) -> None:
    """One step of every cell's uplink; prompts that are through go on to the transport."""
    settle(world, UP, tick)
    paces = world.radio.paces(UP)
    answered = {service.spec.name for service in world.ai}
    for index, cell in enumerate(world.cells):
        open_uplink(world, cell, tick)
        for service, passage in cell.advance(UP, tick, world.book, paces):
            sent, reached_s = passage.sent, passage.end_s + cell.uplink.latency_s
            world.book.counters.see(cell.node, service, UP, passage, cell.uplink.latency_s)
            listening.observe(world, cell, UP, service, passage, tick)
            if service in answered:
                world.book.do(cell.node, service, "bit_ul", float(sent["bit"].sum()))
                whole = sent["ref"] >= 0  # what is below are tensors of models that are shared
                columns = (sent["ref"][whole], reached_s[whole], sent["bit"][whole])
                tick.prompts += zip(*(c.tolist() for c in columns), strict=True)
            elif len(sent):
                deliver_data(world, index, service, "bit_ul", sent, reached_s)
