"""Sleep of cells in a run: orders of the policy, traffic that waits, cells that go off and return.

Downlink of a step is known in the uplink phase as far as it was queued by then: not the tokens that
servers make within the step. A prompt may wait for a cell that such a token had woken; never the
other way round.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final

from tree6g.engine import coverage, lanes, radio
from tree6g.engine.airtime import Messages
from tree6g.engine.crowd import DOWN, UP
from tree6g.engine.policies.sleep import CellReport, Order
from tree6g.engine.rest import Rest, Waits
from tree6g.engine.world import Cell, Tick, World
from tree6g.errors import ScenarioError

TOLD_CELLS: Final = 5  # that the notes tell one by one; more are summed up


def decide(world: World, tick: Tick) -> None:
    """Ask the policy at the start and once every sleep period; then see who goes off or returns."""
    period_s = world.scenario.sleep_period_s
    if tick.t0_s == 0.0 or tick.t0_s - world.cells[0].rest.asked_s >= period_s * (1.0 - 1e-9):
        _ask(world, tick.t0_s)
    # Who goes off waits for those on their way up: they may be the ones that take its terminals.
    coming = any(
        c.rest.order.on and c.rest.off_from_s is not None and not c.out for c in world.cells
    )
    moved = False
    for cell in world.cells:
        rest = cell.rest
        kept = rest.order.on or (coming and cell.on)
        serves = kept and rest.off_from_s is None and not cell.out
        moved = moved or serves != cell.on
        cell.on = serves
    if moved:
        radio.attach(world)
    for cell in world.cells:
        rest = cell.rest
        if not cell.on and not rest.order.on and rest.off_from_s is None and not _held(world, cell):
            rest.switch_off(tick.t0_s)


def _ask(world: World, t_s: float) -> None:
    covers = coverage.covering(world)
    reports = [
        _report(world, cell, cover, t_s) for cell, cover in zip(world.cells, covers, strict=True)
    ]
    orders = _checked(reports, world.sleep_policy(t_s, reports))
    muted = False
    for cell, order in zip(world.cells, orders, strict=True):
        rest = cell.rest
        if order != rest.order or t_s == 0.0:
            rest.follow(order, t_s)
        rest.used_s.clear()
        rest.asked_s = t_s
        if order.on and not cell.out:
            rest.switch_on(t_s)
        # Power and array gain both fall with the share of transceivers; the uplink has no power of
        # the cell's to lose.
        lost_db = 10.0 * math.log10(order.antenna_frac)
        state = (rest.station.carriers / rest.whole.carriers, 2.0 * lost_db, lost_db)
        muted = muted or state != (cell.band_frac, cell.downlink_db, cell.uplink_db)
        cell.band_frac, cell.downlink_db, cell.uplink_db = state
    if muted:
        radio.refresh(world)


def notes(world: World) -> list[str]:
    """What sleep did, for the header: time asleep, and the latency that traffic paid for it."""
    rests = {c.node: c.rest for c in world.cells if c.rest.asleep_s > 0.0}
    if len(rests) <= TOLD_CELLS:
        return [
            f"{node} slept {_asleep_frac(rest):.0%} of the time; {_waits([rest])}."
            for node, rest in rests.items()
        ]
    shares = [_asleep_frac(rest) for rest in rests.values()]
    mean = math.fsum(shares) / len(shares)
    told = f"{len(rests)} cells slept {mean:.0%} of the time "
    told += f"({min(shares):.0%} to {max(shares):.0%}); {_waits(list(rests.values()))}."
    return [told]


def _asleep_frac(rest: Rest) -> float:
    return rest.asleep_s / max(rest.lasted_s, 1e-9)


def _waits(rests: Sequence[Rest]) -> str:
    """What the messages of some cells waited, by direction."""
    found = "it" if len(rests) == 1 else "their cell"
    told = []
    for kind in (DOWN, UP):
        parts = [rest.waits[kind] for rest in rests]
        waits = Waits(
            messages=sum(part.messages for part in parts),
            woken=sum(part.woken for part in parts),
            wait_s=math.fsum(part.wait_s for part in parts),
            longest_s=max(part.longest_s for part in parts),
        )
        if waits.messages:
            told.append(_waited("downlink" if kind == DOWN else "uplink", waits, found))
    return ", ".join(told) or "nobody waited"


def _waited(direction: str, waits: Waits, found: str) -> str:
    if not waits.woken:
        return f"no {direction} message waited"
    share = waits.woken / waits.messages
    return (
        f"{share:.0%} of {direction} messages found {found} asleep and waited "
        f"{1e3 * waits.wait_s / waits.woken:.1f} ms on average, {1e3 * waits.longest_s:.1f} ms at "
        "most"
    )


def _held(world: World, cell: Cell) -> list[Messages]:
    """What waits for the cell's air or is on its way to it."""
    pools = (*cell.uplink.pools, *cell.downlink.pools)
    queues = [queue for pool in pools for queue in pool.queues.values() if len(queue)]
    return [*(held for _, held in lanes.held_at(world, cell.index)), *queues]


def _report(world: World, cell: Cell, covers: frozenset[frozenset[int]], t_s: float) -> CellReport:
    rest = cell.rest
    since_s = t_s - rest.asked_s
    used = {
        kind: rest.used_s.get(kind, 0.0) / (since_s * cell.carrier(kind).time_frac)
        for kind in (DOWN, UP)
        if since_s * cell.carrier(kind).time_frac > 0.0
    }
    return CellReport(
        node=cell.node,
        on=rest.order.on,
        idle_timer_s=rest.idle_timer_s,
        downlink_frac=used.get(DOWN, 0.0),
        uplink_frac=used.get(UP, 0.0),
        waiting_bit=float(sum(queue["left_bit"].sum() for queue in _held(world, cell))),
        bandwidth_hz=cell.band_frac * cell.spec.bandwidth_hz,
        carriers=rest.whole.carriers,
        carriers_on=rest.station.carriers,
        antenna_frac=rest.order.antenna_frac,
        antenna_least_frac=coverage.least_antennas(world, cell),
        covering=covers,
    )


def _checked(reports: Sequence[CellReport], given: object) -> list[Order]:
    """Orders that the cells can follow.

    Raises:
        ScenarioError: Too few orders, one that asks for what there is not, or one that leaves
            terminals without a cell.
    """
    orders = list(given) if isinstance(given, Iterable) else []
    if len(orders) != len(reports) or not all(isinstance(order, Order) for order in orders):
        raise ScenarioError(
            f"expected one order per cell (of {len(reports)}) from the sleep policy; got "
            f"{orders or given!r}."
        )
    on = {n for n, order in enumerate(orders) if order.on}
    for report, order in zip(reports, orders, strict=True):
        most = report.carriers
        carriers = most if order.carriers is None else order.carriers
        possible = 1 <= carriers <= most and 0.0 < order.antenna_frac <= 1.0
        if not possible or not order.timer_s >= 0.0:
            raise ScenarioError(
                f"expected 1 to {most} carriers, an antenna_frac above 0 up to 1 and a timer of 0 "
                f"or more for '{report.node}' from the sleep policy; got {order}."
            )
        if not order.on and not all(cover & on for cover in report.covering):
            raise ScenarioError(
                f"expected '{report.node}' on, which has terminals that no other cell covers that "
                "is on; got off from the sleep policy. See `covering` of its report."
            )
    return orders
