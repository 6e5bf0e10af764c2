"""What a scheduler says of the air: which messages of a step may be sent, and from when on.

A message waits until its cell lets it out. At the start of every interval the scheduler orders what
waits, and as much is let out as the interval has room for; what is let out then passes the carrier
as any message does, and wakes the cell if it sleeps. A message is let out whole, so that one which
takes longer than an interval holds up those behind it. Messages that are not out have an `open_s`
of infinity.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import numpy.typing as npt

from tree6g.engine.airtime import picked
from tree6g.engine.crowd import DOWN, UP, IntArray
from tree6g.engine.lanes import KINDS, Line, keep, put_back
from tree6g.engine.policies.schedule import Air, Scheduler, scheduler
from tree6g.engine.policies.schedule.own import OwnScheduler
from tree6g.engine.schedule_queue import Queue, queues
from tree6g.engine.world import Cell, Tick, World
from tree6g.errors import ScenarioError
from tree6g.radio.pathloss import FloatArray
from tree6g.radio.sleep import signals_between
from tree6g.scenario.model import Scenario
from tree6g.scenario.scheduling import Scheduling

BoolArray = npt.NDArray[np.bool_]


@dataclasses.dataclass(slots=True, kw_only=True)
class Schedule:
    """The scheduler of a run, and its price.

    The price is a ratio of sums so far: worth that was sent in time to count, over the joules of
    stations, links and servers. It steers, and is no figure of the run.

    Attributes:
        rule: Who decides.
        interval_s: How often.
        caution: V, which the rule may use.
        worth_beq: Worth so far.
        energy_j: Joules so far.
        noted: How many steps of each node are in them.
    """

    rule: Scheduler
    interval_s: float
    caution: float
    worth_beq: float = 0.0
    energy_j: float = 0.0
    noted: dict[str, int] = dataclasses.field(default_factory=dict)

    @property
    def price_beq_per_j(self) -> float:
        """Worth of a joule; 0 before the first one."""
        return self.worth_beq / self.energy_j if self.energy_j else 0.0


def schedule(scenario: Scenario, chosen: Scheduler | None = None) -> Schedule | None:
    """The schedule of a scenario, None if cells and servers go by themselves.

    Args:
        scenario: The scenario.
        chosen: Scheduler in place of its own.
    """
    said = scenario.scheduling
    if chosen is None and said is None:
        return None
    said = said or Scheduling()
    rule = chosen or scheduler(said.rule)
    return Schedule(rule=rule, interval_s=said.interval_s, caution=said.caution)


def note(world: World) -> None:
    """Take the joules of a step into the price; those of terminals are somebody else's."""
    plan = world.schedule
    if plan is None:
        return
    apart = {cell.terminals for cell in world.cells}
    for node, steps in world.book.control.items():
        if node not in apart:
            plan.energy_j += math.fsum(steps[plan.noted.get(node, 0) :])
            plan.noted[node] = len(steps)


def admit(world: World, kind: str, line: Line, air_s: FloatArray, tick: Tick) -> tuple[Line, Line]:
    """What may be sent in this step, in its order, and what stays.

    Args:
        world: The run, with a schedule.
        kind: Direction.
        line: What waits; in the uplink in both directions.
        air_s: Airtime that each message needs. [message]
        tick: The step.
    """
    table, lane = line.messages, np.repeat(line.lane, np.diff(line.first))
    out = (table["heard_s"] < tick.t0_s) & np.isfinite(table["open_s"])
    mine = world.lanes.kind[lane] == KINDS.index(kind)
    release_s = np.where(out, -np.inf, np.inf)
    place = np.arange(len(table), dtype=np.float64)
    busy_s = np.bincount(
        world.lanes.cell[lane], weights=np.where(out & mine, air_s, 0.0),
        minlength=len(world.cells),
    )  # fmt: skip
    for cell, queue in queues(world, kind, line, np.flatnonzero(mine & ~out), air_s):
        _let_out(world, kind, cell, queue, tick, busy_s[cell.index], release_s, place)
    new = np.isfinite(release_s)
    table["heard_s"][new] = table["open_s"][new] = release_s[new]
    held = mine & np.isposinf(release_s)
    table["open_s"][held] = np.inf
    number = np.repeat(np.arange(len(line.lane)), np.diff(line.first))
    order = np.lexsort((place, release_s, number))
    order = order[np.isneginf(release_s[order]) | new[order]]
    return _rows(line, order, number), _rows(line, np.flatnonzero(held), number)


def stay(world: World, kind: str, held: Line, *, alone: bool) -> None:
    """Put what stays back into its queues; `alone` if nothing was sent, not even in part."""
    if alone:
        put_back(world, kind, held)
    else:
        keep(world, held)


def _rows(line: Line, rows: IntArray, number: IntArray) -> Line:
    """Some messages, in the order of their queues."""
    count = np.bincount(number[rows], minlength=len(line.lane))
    some = count > 0
    first = np.concatenate([[0], np.cumsum(count[some])])
    return Line(picked(line.messages, rows), line.lane[some], first)


def _let_out(
    world: World, kind: str, cell: Cell, queue: Queue, tick: Tick, busy_s: float,
    release_s: FloatArray, place: FloatArray,
) -> None:  # fmt: skip
    """Interval by interval through a step; writes when each message is let out, and its place."""
    plan = world.schedule
    assert plan is not None  # noqa: S101 - told apart by the caller
    count = max(1, round(tick.step_s / plan.interval_s))
    edges_s = tick.t0_s + tick.step_s * np.arange(count + 1) / count
    awake = _awake(world, kind, cell, edges_s)
    left, until_s, at = np.ones(len(queue.row), dtype=np.bool_), tick.t0_s + busy_s, 0
    while at < count and left.any():
        t_s, next_s = float(edges_s[at]), float(edges_s[at + 1])
        known = np.flatnonzero(left & (queue.known_s <= t_s))
        room_s = next_s - max(until_s, t_s)
        if not known.size or room_s <= 0.0:
            from_s = until_s if known.size else float(queue.known_s[left].min())
            at = max(at + 1, int(np.searchsorted(edges_s, from_s, side="left")))
            continue
        up = until_s > t_s or bool(awake[at])
        found = _ordered(world, kind, cell, queue, known, t_s, awake=up)
        before_s = np.cumsum(queue.air_s[known[found]]) - queue.air_s[known[found]]
        chosen = known[found[before_s < room_s]]
        left[chosen] = False
        release_s[queue.row[chosen]] = t_s
        place[queue.row[chosen]] = np.arange(len(chosen))
        until_s = max(until_s, t_s) + float(queue.air_s[chosen].sum())
        timely = queue.earns[chosen] & (queue.due_s[chosen] >= t_s + queue.air_s[chosen])
        plan.worth_beq += float(queue.worth_beq[chosen][timely].sum())
        at += 1


def _ordered(
    world: World, kind: str, cell: Cell, queue: Queue, known: IntArray, t_s: float, *, awake: bool
) -> IntArray:
    """What the scheduler lets out of what is known, in its order. [message].

    Raises:
        ScenarioError: It gave something else than a place for each message.
    """
    plan, station = world.schedule, cell.rest.station
    assert plan is not None  # noqa: S101 - told apart by the callers
    asleep_w = station.sleep[-1].power_w if station.sleep else station.awake_w
    air = Air(
        t_s=t_s,
        interval_s=plan.interval_s,
        uplink=kind == UP,
        price_beq_per_j=plan.price_beq_per_j,
        caution=plan.caution,
        worth_beq=queue.worth_beq[known],
        ready_s=queue.ready_s[known],
        due_s=queue.due_s[known],
        bit=queue.bit[known],
        air_s=queue.air_s[known],
        terminal=queue.terminal[known],
        send_w=cell.pue * ((station.uplink_w if kind == UP else station.downlink_w) - asleep_w),
        wake_j=cell.pue * (station.sleep[-1].transition_j if station.sleep else 0.0),
        awake=awake,
    )
    place = np.asarray(plan.rule.send(air), dtype=np.float64)
    if place.shape != known.shape or np.isnan(place).any():
        raise ScenarioError(
            f"expected a place for each of {len(known)} messages from the scheduler; got "
            f"{place.shape if place.shape != known.shape else 'no number'}."
        )
    order = np.argsort(place, kind="stable")
    return order[place[order] < np.inf]


def _awake(world: World, kind: str, cell: Cell, edges_s: FloatArray) -> BoolArray:
    """In which intervals of a step a cell is awake for broadcast or for the uplink. [interval]."""
    common = signals_between(cell.rest.station.signals, float(edges_s[0]), float(edges_s[-1]))
    start_s, end_s = np.asarray(common.start_s), np.asarray(common.end_s)
    if kind == DOWN and UP in world.windows:
        up = world.windows[UP]
        rows = slice(int(up.first[cell.index]), int(up.first[cell.index] + up.count[cell.index]))
        start_s = np.append(start_s, up.start_s[rows])
        end_s = np.append(end_s, up.end_s[rows])
    edge = np.zeros(len(edges_s))
    np.add.at(edge, np.clip(np.searchsorted(edges_s, start_s, side="right") - 1, 0, None), 1.0)
    np.add.at(edge, np.searchsorted(edges_s, end_s, side="left").clip(1), -1.0)
    return np.cumsum(edge)[:-1] > 0.0


def notes(world: World) -> list[str]:
    """Who scheduled, for the header."""
    plan = world.schedule
    if plan is None:
        return []
    rule = plan.rule
    if isinstance(rule, OwnScheduler):
        name = f"{rule.file.name} (SHA-256 {rule.file.sha256[:12]})"
    else:
        name = type(rule).__module__.rsplit(".", 1)[-1].replace("_", "-")
    told = (
        f"Cells and servers were scheduled by {name} every {plan.interval_s:g} s, V = "
        f"{plan.caution:g}; its price came to {plan.price_beq_per_j:.4g} bit-eq/J."
    )
    return [told]
