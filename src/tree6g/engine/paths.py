"""Between cells and clouds: over a link of each site's own, or over the paths of a topology."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tree6g.engine.crowd import IntArray
from tree6g.engine.power import LINK
from tree6g.engine.world import Tick, World
from tree6g.radio.pathloss import FloatArray
from tree6g.scenario.model import Link
from tree6g.transport.link import delay_s
from tree6g.transport.link import energy_j as link_energy_j


def passing_s(
    world: World, link: Link, cell: IntArray, bit: npt.ArrayLike, kind: str
) -> FloatArray:
    """One-way time of messages between cells and a cloud. [message].

    Args:
        world: The run.
        link: The cloud's link, or the record of its paths.
        cell: Cell of each message. [message]
        bit: Bits of each. [message]
        kind: `bit_ul` to the cloud, `bit_dl` from it.
    """
    if world.backbone is None or link.to not in world.backbone.links:
        return delay_s(bit, rate_bps=link.rate_bps, latency_s=link.latency_s)
    site = np.array([c.site_index for c in world.cells])[cell]
    return world.backbone.delay_s(link.to, site, bit, kind)


def latency_s(world: World, link: Link | None, site: int) -> float:
    """One-way latency between a site and a cloud without a queue; 0 beside the cell."""
    if link is None:
        return 0.0
    if world.backbone is None or link.to not in world.backbone.links:
        return link.latency_s
    return world.backbone.latency_s(link.to, site)


def energy_j_per_bit(world: World, link: Link | None, site: int) -> float:
    """Energy of a bit between a site and a cloud; 0 beside the cell."""
    if link is None:
        return 0.0
    if world.backbone is None or link.to not in world.backbone.links:
        return link.energy_j_per_bit
    return world.backbone.energy_j_per_bit(link.to, site)


def draw(world: World, tick: Tick) -> None:
    """Joules of the topology's links in this step; what they carried slows down the next one."""
    network = world.backbone
    if network is None:
        return
    for number in network.used:
        node, carried = network.node(number), network.carried(number)
        idle_j, active_j = link_energy_j(
            sum(carried.values()),
            tick.step_s,
            idle_power_w=network.said.idle_power_w,
            energy_j_per_bit=network.said.energy_j_per_bit,
        )
        world.book.spend(node, "link", "idle", idle_j, source=LINK)
        for service, bit in carried.items():
            joules = network.said.energy_j_per_bit * bit
            world.book.spend(node, "link", "active", joules, source=LINK, service=service)
        world.book.integrate(node, idle_j + active_j)
    network.settle(tick.step_s)
