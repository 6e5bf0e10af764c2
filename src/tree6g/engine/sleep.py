"""Sleep of cells in a run: orders of the policy, traffic that waits, cells that go off and return.

Downlink of a step is known in the uplink phase as far as it was queued by then: not the tokens that
servers make within the step. A prompt may wait for a cell that such a token had woken; never the
other way round.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np

from tree6g.engine import coverage, radio
from tree6g.engine.airtime import Messages
from tree6g.engine.crowd import DOWN, UP
from tree6g.engine.policies.sleep import CellReport, Order
from tree6g.engine.rest import Rest, Waits
from tree6g.engine.world import Cell, Tick, World
from tree6g.errors import ScenarioError
from tree6g.radio.airtime import speed_frac
from tree6g.radio.pathloss import FloatArray
from tree6g.radio.sleep import Intervals, union
from tree6g.radio.wake import Arrivals, open_s

TOLD_CELLS: Final = 5  # that the notes tell one by one; more are summed up


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Queue:
    """Messages of one service, how long each will be on the air, and in which direction."""

    messages: Messages
    service_s: FloatArray
    uplink: bool


def decide(world: World, tick: Tick) -> None:
    """Ask the policy at the start and once every sleep period; then see who goes off or returns."""
    period_s = world.scenario.sleep_period_s
    if tick.t0_s == 0.0 or tick.t0_s - world.cells[0].rest.asked_s >= period_s * (1.0 - 1e-9):
        _ask(world, tick.t0_s)
    # Who goes off waits for those on their way up: they may be the ones that take its terminals.
    coming = any(c.rest.order.on and c.rest.off_from_s is not None for c in world.cells)
    moved = False
    for cell in world.cells:
        rest = cell.rest
        serves = rest.off_from_s is None and (rest.order.on or (coming and cell.on))
        moved = moved or serves != cell.on
        cell.on = serves
    if moved:
        radio.attach(world)
    for cell in world.cells:
        rest = cell.rest
        if not cell.on and not rest.order.on and rest.off_from_s is None and not _held(cell):
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
        rest.follow(order, t_s)
        rest.used_s.clear()
        rest.asked_s = t_s
        if order.on:
            rest.switch_on(t_s)
        # Power and array gain both fall with the share of transceivers; the uplink has no power of
        # the cell's to lose.
        lost_db = 10.0 * math.log10(order.antenna_frac)
        state = (rest.station.carriers / rest.whole.carriers, 2.0 * lost_db, lost_db)
        muted = muted or state != (cell.band_frac, cell.downlink_db, cell.uplink_db)
        cell.band_frac, cell.downlink_db, cell.uplink_db = state
    if muted:
        radio.refresh(world)


def open_uplink(world: World, cell: Cell, tick: Tick) -> None:
    """From when each message of the uplink may be sent."""
    if _waits_for_nobody(cell):
        return
    down, up = (list(_queues(world, cell, tick, kind)) for kind in (DOWN, UP))
    if up or cell.rest.off_from_s is not None:
        _open(cell, tick, [*up, *down], UP)


def open_downlink(world: World, cell: Cell, tick: Tick) -> None:
    """From when each message of the downlink may be sent, beside the uplink of the step."""
    if not _waits_for_nobody(cell):
        _open(cell, tick, list(_queues(world, cell, tick, DOWN)), DOWN)


def _waits_for_nobody(cell: Cell) -> bool:
    """Whether traffic never waits: the cell is on, and wakes up at once."""
    return cell.rest.off_from_s is None and not any(s.transition_s for s in cell.rest.station.sleep)


def traffic(cell: Cell) -> Intervals:
    """Transmissions of the step so far, both directions."""
    if not cell.windows:
        return Intervals(np.empty(0), np.empty(0))
    if len(cell.windows) == 1:
        return union(*cell.windows[0])
    start_s, end_s = (np.concatenate(edges) for edges in zip(*cell.windows, strict=True))
    return union(start_s, end_s)


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


def _open(cell: Cell, tick: Tick, queues: Sequence[_Queue], kind: str) -> None:
    """Set `open_s` of the messages of one direction, in place."""
    rest = cell.rest
    if not queues:
        return
    ready, given = (
        np.concatenate([q.messages[name] for q in queues]) for name in ("heard_s", "open_s")
    )
    count = [len(q.messages) for q in queues]
    if ready.max() < tick.t0_s:  # nobody came: the cell is up for them, or about to be
        opened = np.maximum(given, tick.t0_s)
    else:
        order = ready.argsort(kind="stable")
        arrivals = Arrivals(
            ready_s=ready[order],
            open_s=given[order],
            service_s=np.concatenate([q.service_s for q in queues])[order],
            queue=np.arange(len(queues)).repeat(count)[order],
            uplink=np.array([q.uplink for q in queues]).repeat(count)[order],
        )
        opened = np.empty(len(ready))
        opened[order] = open_s(
            rest.station,
            tick.t0_s,
            tick.t1_s,
            arrivals,
            other=traffic(cell),
            timer_s=rest.order.timer_s,
            traffic_end_s=rest.traffic_end_s,
            uplink_wake=rest.uplink_wake,
        )
    if rest.off_from_s is not None:  # somebody came all the same: nothing is lost
        rest.switch_on(float(ready.min()))
        opened = np.maximum(opened, rest.up_from_s)
    first = 0
    for queue, size in zip(queues, count, strict=True):
        if queue.uplink == (kind == UP):
            queue.messages["open_s"] = opened[first : first + size]
            _note(rest.waits[kind], queue.messages, tick)
        first += size


def _note(waits: Waits, messages: Messages, tick: Tick) -> None:
    """Count what came in this step."""
    heard_s = messages["heard_s"]
    wait_s = (messages["open_s"] - heard_s)[heard_s >= tick.t0_s]
    waits.messages += len(wait_s)
    waits.woken += int(np.count_nonzero(wait_s > 0.0))
    waits.wait_s += float(wait_s.sum())
    waits.longest_s = max(waits.longest_s, float(wait_s.max(initial=0.0)))


def _queues(world: World, cell: Cell, tick: Tick, kind: str) -> Iterator[_Queue]:
    paces = world.radio.paces(kind)
    for pool in cell.carrier(kind).pools:
        busy = [s for s in pool.services if s in pool.queues]
        if not busy:
            continue
        air_s = [pool.air_s(s, paces) for s in busy]
        demand_s = [float(need_s.sum()) for need_s in air_s]
        speeds = speed_frac(demand_s, tick.step_s)
        for service, need_s, speed in zip(busy, air_s, speeds.tolist(), strict=True):
            queue = pool.queues[service]
            yield _Queue(messages=queue, service_s=need_s / speed, uplink=kind == UP)


def _held(cell: Cell) -> list[Messages]:
    """What waits for the cell's air or is on its way to it."""
    pools = (*cell.uplink.pools, *cell.downlink.pools)
    queues = [*cell.chunks.values(), *(q for pool in pools for q in pool.queues.values())]
    return [queue for queue in queues if len(queue)]


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
        waiting_bit=float(sum(queue["left_bit"].sum() for queue in _held(cell))),
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
