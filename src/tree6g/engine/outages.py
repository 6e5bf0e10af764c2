"""Servers that fail: who was there is sent elsewhere or lost, their idle power goes on.

An outage begins and ends with a step. No policy sees a server that is out. What was there when it
failed:

    no token yet            dispatched again in the same step: the terminal sends its prompt anew
    prompt on the way       dispatched again in the step after it has reached the server in vain
    answer under way        lost; what has not left the cell's air is dropped

A request that no host can take is lost, as ever. Its clock runs from the first time it was sent.
What the server had computed for them is in its joules. The server comes back empty. Cells do not
fail here, and terminals stay where they are.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from tree6g.engine.delivery import lose
from tree6g.engine.world import RUNNING, Host, Tick, World


def apply(world: World, tick: Tick) -> None:
    """Let servers fail or come back at the start of a step."""
    if not world.scenario.outages:
        return
    for host in world.hosts:
        out = any(
            outage.node in (host.node, host.place) and outage.from_s <= tick.t0_s < outage.to_s
            for outage in world.scenario.outages
        )
        if host.batch is not None and out and not host.out:
            _fail(world, host)
        host.out = host.batch is not None and out


def take(world: World) -> list[int]:
    """Requests that look for a host once more, in order; those who have given up are lost."""
    again = sorted(world.again)
    world.again.clear()
    return [request for request in again if world.requests.outcome[request] == RUNNING]


def notes(world: World) -> list[str]:
    """What outages did."""
    if not world.scenario.outages:
        return []
    told = f"Outages of servers: {world.rerouted} times a request was dispatched again, "
    return [told + f"{world.broken} answers under way were lost."]


def send_again(world: World, request: int) -> None:
    """A request has come to a server that is out."""
    world.again.append(request)
    world.requests.host[request] = -1
    world.rerouted += 1


def _fail(world: World, host: Host) -> None:
    """Empty a server."""
    assert host.batch is not None  # noqa: S101 - told apart by the caller
    broken = []
    for request, tokens in host.batch.abandon():
        if tokens:
            broken.append(request)
        else:
            send_again(world, request)
    for one in world.shared:
        if one.host is host:
            waiting = [request for queue in one.waiting.values() for request in queue]
            begun = list(one.running.values())
            for request in (*waiting, *(run.request for run in begun if run.prompting)):
                send_again(world, request)
            broken += [run.request for run in begun if not run.prompting]
            one.waiting.clear()
            one.running.clear()
    _break_off(world, broken)


def _break_off(world: World, requests: Collection[int]) -> None:
    """Answers end where they are: what was still to be sent of them is dropped."""
    if not requests:
        return
    gone = np.array(sorted(requests))
    for cell in world.cells:
        tables = [cell.chunks, *(pool.queues for pool in cell.downlink.pools)]
        for table in tables:
            for service, held in table.items():
                kept = ~np.isin(held["ref"], gone)
                if not kept.all():
                    table[service] = held[kept]
    for request in gone.tolist():
        lose(world, request)
    world.broken += len(gone)
