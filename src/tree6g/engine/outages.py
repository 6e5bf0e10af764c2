"""Servers that fail: who was there is sent elsewhere or lost, their idle power goes on.

An outage begins and ends with a step. No policy sees a server that is out. What was there when it
failed:

    no token yet            dispatched again in the same step: the terminal sends its prompt anew
    prompt on the way       dispatched again in the step after it has reached the server in vain
    answer under way        lost; what has not left the cell's air is dropped

A request that no host can take is lost, as ever. Its clock runs from the first time it was sent.
What the server had computed for them is in its joules. The server comes back empty. Cells fail in
`engine.cell_outages`.
"""

from __future__ import annotations

from collections.abc import Collection

from tree6g.engine import cell_outages
from tree6g.engine.delivery import lose
from tree6g.engine.world import RUNNING, Host, Tick, World


def apply(world: World, tick: Tick) -> None:
    """Let servers and cells fail or come back at the start of a step."""
    now = [o for o in world.scenario.outages if o.from_s <= tick.t0_s < o.to_s]
    if not world.scenario.outages:
        return
    cell_outages.apply(world, tick, now)
    nodes = {outage.node for outage in now}
    places = {outage.node for outage in now if outage.takes_servers}
    for host in world.hosts:
        out = host.node in nodes or host.place in places
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
    end_s = world.arrivals_end_s + world.scenario.drain_s
    later = [
        f"The outage of {outage.node} from {outage.from_s:g} s on lies after the end of the run."
        for outage in world.scenario.outages
        if outage.from_s >= end_s
    ]
    told = f"Outages of servers: {world.rerouted} times a request was dispatched again, "
    return [
        told + f"{world.broken} answers under way were lost.",
        *later,
        *cell_outages.notes(world),
    ]


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
    gone = sorted(requests)
    cell_outages.take_back(world, gone)
    for request in gone:
        lose(world, request)
    world.broken += len(gone)
