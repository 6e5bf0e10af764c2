"""Servers that a policy switches on and off, and what that takes.

    on        is offered to requests, draws its idle power at least
    stopping  is offered to nobody, ends what it has and what is on its way to it, then goes off
    off       draws nothing
    starting  draws the idle power of accelerators and host for `start` of the scenario: boot, load
              the weights, capture graphs; in the ledger it is in the state `transition`

Orders take effect at the start of a step. At the start of the run servers are as the policy wants
them, at no price. A server whose accelerators also do the baseband of cells stays on.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

import numpy as np

from tree6g.engine.crowd import DOWN, UP
from tree6g.engine.policies.servers import FleetReport, ServerReport, server_policy
from tree6g.engine.switch import OFF, ON, STARTING, STOPPING
from tree6g.engine.world import Host, Tick, World
from tree6g.errors import ScenarioError, nearest

SLACK: Final = 1e-9  # of a period: starts of steps are rounded


def decide(world: World, tick: Tick) -> None:
    """Ask the policy when it is time; then see who is ready, and who has ended its work."""
    rule = server_policy(world.policy)
    if rule is None:
        return
    period_s = world.scenario.server_period_s
    if tick.t0_s == 0.0 or tick.t0_s - world.fleet.asked_s >= period_s * (1.0 - SLACK):
        _order(world, tick, _checked(world, rule(_report(world, tick))))
        world.fleet.asked_s, world.fleet.request = tick.t0_s, world.next_request
    for host in world.hosts:
        if (
            host.switch.state == STARTING
            and tick.t0_s >= host.switch.ready_s - SLACK * world.step_s
        ):
            host.switch.state = ON
        elif host.switch.state == STOPPING and not _busy(world, host):
            host.switch.state = OFF


def notes(world: World) -> list[str]:
    """What was switched."""
    if server_policy(world.policy) is None:
        return []
    starts = sum(host.switch.starts for host in world.hosts)
    off_s = sum(host.switch.off_s for host in world.hosts)
    return [
        f"Servers switched by the policy: {starts} starts, {off_s / 3600.0:.4g} server-hours off."
    ]


def _order(world: World, tick: Tick, wanted: Collection[str]) -> None:
    kept = {each.site for each in world.processors.values() if each.shared_count}
    for host in world.hosts:
        if host.batch is None:
            continue
        stays = host.node in wanted or host.site in kept
        if stays and host.switch.state == OFF:
            assert host.spec is not None  # noqa: S101 - a server
            host.switch.state, host.switch.ready_s = STARTING, tick.t0_s + host.spec.start_s
            host.switch.starts += 1
        elif stays and host.switch.state == STOPPING:
            host.switch.state = ON
        elif not stays and host.switch.state == STARTING:
            host.switch.state = OFF
        elif not stays and host.switch.state == ON:
            host.switch.state = OFF if tick.t0_s == 0.0 else STOPPING


def _busy(world: World, host: Host) -> bool:
    """Whether somebody is there, or on the way."""
    assert host.batch is not None  # noqa: S101 - a server
    shared = any(one.host is host and (one.running or one.waiting) for one in world.shared)
    return bool(shared or host.coming or host.batch.running or host.batch.queued)


def _checked(world: World, wanted: Any) -> Collection[str]:
    """What the policy says, if these are servers.

    Raises:
        ScenarioError: They are not.
    """
    known = [host.node for host in world.hosts if host.batch is not None]
    if isinstance(wanted, str) or not isinstance(wanted, Collection):
        raise ScenarioError(
            f"expected the nodes of servers that are to be on, as a set or a list, from 'servers' "
            f"of the policy; got {wanted!r}."
        )
    for node in wanted:
        if node not in known:
            raise ScenarioError(
                f"expected nodes of servers from 'servers' of the policy; got {node!r}. "
                f"{nearest(str(node), known)}"
            )
    return wanted


def _report(world: World, tick: Tick) -> FleetReport:
    since_s = tick.t0_s - world.fleet.asked_s if tick.t0_s else 0.0
    up, down = (_rates_bps(world, kind) for kind in (UP, DOWN))
    return FleetReport(
        t_s=tick.t0_s,
        since_s=since_s,
        servers=tuple(_server(host) for host in world.hosts if host.batch is not None),
        asked_rps=_asked_rps(world, since_s),
        up_bps=up,
        down_bps=down,
    )


def _server(host: Host) -> ServerReport:
    assert host.batch is not None  # noqa: S101 - told apart by the caller
    assert host.spec is not None  # noqa: S101 - likewise
    start_w = host.pue * (host.replica.idle_w + host.spec.host_power_w * host.spec.count)
    return ServerReport(
        node=host.node,
        tier=host.tier,
        model=host.model,
        state=host.switch.state,
        running=host.batch.running,
        queued=host.batch.queued + host.coming,
        capacity=host.batch.limits.max_sequences,
        start_s=host.spec.start_s,
        start_j=start_w * host.spec.start_s,
        failed=host.out,
    )


def _asked_rps(world: World, since_s: float) -> dict[tuple[str, int], float]:
    rows = np.arange(world.fleet.request, world.next_request)
    site = np.array([cell.site_index for cell in world.cells])[world.cell_of(rows)]
    service = world.requests.service[rows]
    return {
        (one.spec.name, number): float(((service == one.index) & (site == number)).sum())
        / max(since_s, world.step_s)
        for one in world.ai
        for number in range(len(world.sites))
    }


def _rates_bps(world: World, kind: str) -> dict[tuple[str, int], float]:
    """Harmonic means over terminals with a link, by service and site."""
    users = world.radio.users
    site = np.array([cell.site_index for cell in world.cells])[users.serving]
    found = {}
    for one in world.ai:
        rate_bps = world.radio.rate_bps[kind][one.spec.name][: len(site)]
        for number in range(len(world.sites)):
            mine = rate_bps[(site == number) & (rate_bps > 0.0)]
            mean = float(1.0 / np.mean(1.0 / mine)) if len(mine) else 0.0
            found[one.spec.name, number] = mean
    return found
