"""Cells that fail: their terminals go to other cells, and who hears no other is cut off.

An outage begins and ends with a step, like one of servers (`engine.outages`). A cell that is out is
switched off at once, as by a sleep policy: it draws what its model says of that, transition
included, and takes as long to come back. What was waiting for its air goes with the terminals to
the cells that hear them best, with the bits that are left of it, as in a handover.

A terminal that hears no other cell is cut off:

    its messages, both ways         lost
    its request, prompt not sent    lost
    its answer under way            lost; the server does not know and finishes it, joules booked
    its request in the outage       only its own model can answer; without one it is lost

Cells whose baseband is on a server's accelerator fail with that server.

Sites without positions hear nothing of one another, so that all of theirs are cut off. A sleep
policy is not told of outages; it is told that no terminal can be covered by a cell that is out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from tree6g.engine import lanes
from tree6g.engine.delivery import lose, lose_data
from tree6g.engine.world import RUNNING, Cell, Tick, World
from tree6g.scenario.outage import Outage


def apply(world: World, tick: Tick, now: Sequence[Outage]) -> None:
    """Let cells fail or come back at the start of a step.

    Args:
        world: The run.
        tick: The step.
        now: Outages that hold in it.
    """
    sites = {outage.node for outage in now if outage.takes_cells}
    nodes = {outage.node for outage in now}
    without = _without_baseband(world, now)
    for cell in world.cells:
        out = cell.node in nodes or cell.site in sites or cell.site_index in without
        if out and not cell.out:
            cell.rest.fail(tick.t0_s)
        elif cell.out and not out and cell.rest.order.on:
            cell.rest.switch_on(tick.t0_s)
        cell.out = out


def _without_baseband(world: World, now: Sequence[Outage]) -> set[int]:
    """Sites whose cells have their baseband on a server that is out."""
    nodes = {outage.node for outage in now}
    places = {outage.node for outage in now if outage.takes_servers}
    return {
        number
        for number, processor in world.processors.items()
        if processor.shared_count
        and (processor.node in nodes or world.sites[number].name in places)
    }


def drop(world: World) -> None:
    """Lose what has come to cells that are out: their terminals hear no other."""
    if not world.scenario.outages:
        return
    silent = [cell for cell in world.cells if cell.out]
    if silent:
        lanes.seat(world)
    for cell in silent:
        _empty(world, cell)
    if silent:
        _end_shared(world)
    if world.severed:
        take_back(world, world.severed)


def take_back(world: World, requests: Iterable[int]) -> None:
    """Remove what is on its way to the terminals of requests that are lost."""
    gone = np.array(sorted(requests), dtype=np.int64)
    lanes.seat(world)
    tables = [world.chunks]
    tables += [pool.queues for cell in world.cells for pool in cell.downlink.pools]
    for table in tables:
        for service, held in table.items():
            kept = ~np.isin(held["ref"], gone)
            if not kept.all():
                table[service] = held[kept]


def notes(world: World) -> list[str]:
    """What outages of cells did."""
    if not world.severed:
        return []
    many = len(world.severed)
    return [f"Outages of cells: {many} requests under way at terminals cut off were lost."]


def _empty(world: World, cell: Cell) -> None:
    lose_data(world, cell)
    for pool in cell.uplink.pools:
        for queue in pool.queues.values():
            for request in queue["ref"][queue["ref"] >= 0].tolist():
                _unsend(world, request)
                _sever(world, request)
    tables = [pool.queues for pool in cell.downlink.pools]
    below = [queue for table in tables for queue in table.values()]
    for queue in (*(held for _, held in lanes.held_at(world, cell.index)), *below):
        for request in np.unique(queue["ref"][queue["ref"] >= 0]).tolist():
            _sever(world, request)
    lanes.drop_held(world, cell.index)
    for table in (*tables, *(pool.queues for pool in cell.uplink.pools)):
        table.clear()


def _unsend(world: World, request: int) -> None:
    """A prompt will not come to its server."""
    host = world.hosts[int(world.requests.host[request])]
    host.coming -= 1
    host.coming_tok -= float(world.requests.prompt_tok[request])


def _end_shared(world: World) -> None:
    """Answers of shared models need the link all the time."""
    serving = world.radio.users.serving
    for one in world.shared:
        for terminal in sorted({*one.waiting, *one.running}):
            if world.cells[int(serving[terminal])].out:
                run = one.running.pop(terminal, None)
                ended = [] if run is None else [run.request]
                for request in (*ended, *one.waiting.pop(terminal, ())):
                    _sever(world, request)


def _sever(world: World, request: int) -> None:
    if world.requests.outcome[request] == RUNNING:
        world.severed.add(request)
        lose(world, request)
