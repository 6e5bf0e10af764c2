"""One target over time: from look to look to pieces, and what of the time is covered.

| what happens | rows | coverage |
|---|---|---|
| a look follows the last one | its amounts | ok |
| looks failed in between, within `REACH` intervals | amounts over the whole time | ok |
| looks failed for longer | amounts of counters over the whole time; none of power | gap |
| a series of energy or power is away | none; a counter that is back gives all | gap, for an hour |
| a counter fell, and nothing says when | none of that counter | gap |
| an interval comes again, or one that shares time with it | none; the first one stands | as it is |

So counters lose nothing while they go on counting, but nobody knows when in a long gap it was; a
figure leaves that time out (METRIC rule 11), the ledger keeps the sum.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from tree6g.meter.agent.config import Target
from tree6g.meter.agent.lane import Lane
from tree6g.meter.agent.pieces import CPU, ENERGY, PRB, WORK, Pieces, node_of, pieces_of, useful
from tree6g.meter.agent.spans import Taken
from tree6g.meter.deltas import Amount, Deltas, Gap, Look, deltas, is_same_process
from tree6g.meter.reading import Found, Reading

REACH: Final = 2.5  # intervals
SLOW_S: Final = 9.0  # between looks at histograms, at least
LONGEST_REASON: Final = 300
SAME_CLOCK_S: Final = 1.0
AWAY: Final = "the series is no longer there"
BACK: Final = "the series is back; what it counted while it was away is in this time"
AHEAD_S: Final = 3600.0  # of the agent's time; a clock that is further ahead is wrong


class Cover(NamedTuple):
    """What is said of a time; node None speaks of all nodes of the source."""

    quantity: str
    node: str | None
    t0_s: float
    t1_s: float
    reason: str  # empty: covered


@dataclasses.dataclass(slots=True)
class Seen:
    """What one look gave.

    Attributes:
        pieces: Amounts.
        cover: What is said of the time.
        since_s: Time of the look before; None: this was the first.
        time_s: Time of the look.
        broken: Whether energy of this time is not known, so that sums over it start anew.
        again: Intervals that had come before.
        absurd: Intervals that lie in the future, so that nobody can have measured them.
    """

    pieces: Pieces
    cover: list[Cover]
    since_s: float | None
    time_s: float
    broken: bool = False
    again: int = 0
    absurd: int = 0

    @property
    def doubt(self) -> str:
        """What is said of absurd intervals."""
        return (
            f"{self.absurd} amounts are of a time more than {AHEAD_S / 3600.0:g} h ahead of the "
            "clock here, and are left out: see to the clock of whoever wrote them."
        )


class Tracker:
    """The looks of one target; `step` plans, `commit` makes it so once the rows are durable."""

    def __init__(self, target: Target, interval_s: float) -> None:
        self.target = target
        self.reach_s = REACH * interval_s
        self.reason = ""  # of the last failure
        self.cut = ""  # why energy until the next look belongs to somebody else
        self._taken = Taken()
        self._fast, self._slow = Lane(f"{target.name}/"), Lane(f"{target.name}/slow-")
        self._known_places: list[tuple[str, str | None]] | None = None
        self._cuts: str | None = None
        self._offset_s = 0.0
        who = (target.way, target.where, target.cpu.pid if target.cpu else None)
        self._who, self._is_told = dumped(who), False

    @property
    def look(self) -> Look | None:
        """The last durable look."""
        return self._fast.look

    @property
    def planned(self) -> Look | None:
        """The look of the last step, until it is durable."""
        return self._fast.next

    @property
    def changed(self) -> bool:
        """Whether the last step saw other series than the one before."""
        return self._fast.changed

    def step(self, found: Found, time_s: float, offset_s: float = 0.0) -> Seen:
        """What a look gives since the last durable one.

        Args:
            found: What the source says.
            time_s: When, in the agent's time.
            offset_s: How far that is ahead of the wall clock, by which sources tell their start.
        """
        self._taken.drop()
        readings = useful(found.readings, self.target)
        counters = [r for r in readings if r.form != "interval"]
        self._offset_s = offset_s
        seen = Seen(Pieces(), [], self.look.time_s if self.look else None, time_s)
        self._counters([r for r in counters if r.form != "histogram"], seen)
        self._histograms([r for r in counters if r.form == "histogram"], seen)
        if len(counters) < len(readings):
            self._intervals([r for r in readings if r.form == "interval"], seen)
        return seen

    def failed(self, reason: str, time_s: float, began_s: float) -> list[Cover]:
        """What is said of the time since the last look, if that is out of reach."""
        self.reason = reason[:LONGEST_REASON]
        since_s = began_s if self.look is None else self.look.time_s
        if time_s - since_s <= self.reach_s:
            return []
        places = self._places(self.look.readings) if self.look else []
        if not places:  # never seen: it might give either
            node = self.target.node or None
            places = [("energy", node), ("work", node)]
        return [Cover(q, node, since_s, time_s, self.reason) for q, node in places]

    def cut_off(self, reason: str) -> None:
        """Energy until the next look is inside of another target's rows already."""
        self._cuts = reason

    def commit(self) -> None:
        """The rows of the last step are durable."""
        if self._fast.next is not None:
            self.reason = self.cut = ""
            self._is_told = True
        self._fast.commit()
        self._slow.commit()
        if self._cuts is not None:
            self.cut, self._cuts = self._cuts, None
        self._taken.commit()

    def drop(self) -> None:
        """The rows of the last step are not durable: the next look covers its time as well."""
        self._fast.drop()
        self._slow.drop()
        self._cuts = self._known_places = None
        self._taken.drop()

    def move(self, by_s: float) -> None:
        """The agent's time jumped."""
        self._fast.move(by_s)
        self._slow.move(by_s)

    def state(self) -> dict[str, bytes]:
        """What has to be durable together with the rows of the last step."""
        made = self._fast.state() | self._slow.state()
        if self.planned is not None and not self._is_told:
            made[f"{self.target.name}/who"] = self._who
        cut = self._cuts if self._cuts is not None else "" if self.planned else self.cut
        if cut != self.cut:
            made[f"{self.target.name}/cut"] = cut.encode()
        taken = self._taken.state()
        if taken is not None:
            made[f"{self.target.name}/taken"] = taken
        return made

    def restore(self, state: Mapping[str, bytes]) -> None:
        """Go on from the last durable look; one at another place says nothing of this one."""
        name = self.target.name
        if f"{name}/taken" in state:
            self._taken.restore(state[f"{name}/taken"])
        if state.get(f"{name}/who", self._who) != self._who:
            return
        self._fast.restore(state)
        self._slow.restore(state)
        self.cut = state.get(f"{name}/cut", b"").decode()

    def _counters(self, readings: list[Reading], seen: Seen) -> None:
        now = Look(time_s=seen.time_s, readings=readings)
        before = self._fast.step(now)
        if self._fast.changed:
            self._known_places = None
        if before is not None and (readings or self.target.tenants_of):
            self._between(before, now, seen)

    def _histograms(self, readings: list[Reading], seen: Seen) -> None:
        """Waiting times, which are rows of many buckets, are looked at more rarely."""
        last = self._slow.look
        if not readings or (last is not None and seen.time_s - last.time_s < SLOW_S):
            return
        now = Look(time_s=seen.time_s, readings=readings)
        before = self._slow.step(now)
        if before is not None:
            found = self._deltas(before, now)
            seen.pieces.waits += pieces_of(found.amounts, self.target).waits

    def _deltas(self, before: Look, now: Look) -> Deltas:
        """What came between two looks, with new starts in the agent's time."""
        if abs(self._offset_s) <= SAME_CLOCK_S:
            return deltas(before, now)
        old = {(r.kind, r.name): r for r in before.readings}
        moved = [_moved(old.get((r.kind, r.name)), r, self._offset_s) for r in now.readings]
        return deltas(before, dataclasses.replace(now, readings=moved))

    def _between(self, before: Look, now: Look, seen: Seen) -> None:
        found = self._deltas(before, now)
        far = now.time_s - before.time_s > self.reach_s
        amounts: Sequence[Amount] = found.amounts
        if far:
            amounts = [a for a in amounts if a.reading.form != "gauge"]
        if self.cut:
            amounts = [a for a in amounts if a.reading.kind not in (*ENERGY, CPU)]
        seen.pieces = pieces_of(amounts, self.target)
        places = self._known_places
        if places is None:
            places = self._known_places = self._places(now.readings)
        series = (*found.gaps, *self._missing(before, now))
        gaps = list(self._gaps(series, before, now)) if series else []
        why = self.reason or "no look for this long: the agent did not run, or was held up"
        for quantity, node in places:
            mine = [g for g in gaps if (g.quantity, g.node) == (quantity, node)]
            if quantity == "energy" and self.cut:
                mine = [Cover(quantity, node, before.time_s, now.time_s, self.cut)]
            elif far:
                mine = [Cover(quantity, node, before.time_s, now.time_s, why)]
            seen.cover += mine or [Cover(quantity, node, before.time_s, now.time_s, "")]
            seen.cover += _rest(mine, before.time_s, now.time_s)
            seen.broken |= quantity == "energy" and bool(mine) and not seen.pieces.joules
        known = {(c.quantity, c.node) for c in seen.cover}
        seen.cover += [g for g in gaps if (g.quantity, g.node) not in known]

    def _missing(self, before: Look, now: Look) -> Iterator[Gap]:
        """Gaps of energy of series that are away, until they are back or taken for removed."""
        t0_s, t1_s = before.time_s, now.time_s
        back = [r for r in self._fast.back if quantity_of(r.kind) == "energy"]
        for r in back:
            yield Gap(name=r.name, kind=r.kind, t0_s=t0_s, t1_s=t1_s, reason=BACK)
        told = {(r.kind, r.name) for r in (*back, *(r for r in now.readings if r.form == "gauge"))}
        for last, end_s in ((m.last, min(t1_s, m.end_s)) for m in self._fast.missing):
            if (last.kind, last.name) not in told and end_s > t0_s:
                yield Gap(name=last.name, kind=last.kind, t0_s=t0_s, t1_s=end_s, reason=AWAY)

    def _gaps(self, series: Sequence[Gap], before: Look, now: Look) -> Iterator[Cover]:
        """Gaps of series as gaps of a quantity of a node."""
        away = (missing.last for missing in self._fast.missing)
        by_name = {(r.kind, r.name): r for r in (*away, *before.readings, *now.readings)}
        grouped: dict[tuple[str, str, float, float], list[Gap]] = {}
        for gap in series:
            quantity = quantity_of(gap.kind)
            if quantity is not None:
                node = node_of(by_name[gap.kind, gap.name], self.target)
                grouped.setdefault((quantity, node, gap.t0_s, gap.t1_s), []).append(gap)
        for (quantity, node, t0_s, t1_s), gaps in grouped.items():
            more = f" (and {len(gaps) - 1} more series)" if len(gaps) > 1 else ""
            reason = f"{gaps[0].name[:120]}: {gaps[0].reason}{more}"
            yield Cover(quantity, node, t0_s, t1_s, reason[:LONGEST_REASON])

    def _places(self, readings: Sequence[Reading]) -> list[tuple[str, str | None]]:
        """Quantities and nodes that readings speak of."""
        kinds = ((quantity_of(r.kind), node_of(r, self.target)) for r in readings)
        found: list[tuple[str, str | None]]
        found = list(dict.fromkeys((q, node) for q, node in kinds if q is not None))
        if not found and self.target.tenants_of:  # it served nobody so far, and that is known
            return [("work", self.target.node or None)]
        return found

    def _intervals(self, readings: Sequence[Reading], seen: Seen) -> None:
        """Amounts of intervals that were not taken yet, and what is said of their time."""
        amounts: list[Amount] = []
        covers: dict[Cover, None] = {}
        for r in readings:
            t0_s, t1_s, quantity = r.t0_s, r.t1_s, quantity_of(r.kind)
            if t0_s is None or t1_s is None or not t1_s > t0_s:
                continue
            if t1_s > seen.time_s + AHEAD_S or t0_s < 0.0:
                seen.absurd += 1
                continue
            if r.net_si is None:
                if quantity is not None:
                    why = f"{r.name[:120]}: {r.why}"[:LONGEST_REASON]
                    covers[Cover(quantity, node_of(r, self.target), t0_s, t1_s, why)] = None
                continue
            name = f"{r.kind} {r.name}"
            if not self._taken.free(name, (t0_s, t1_s)):
                seen.again += 1
                continue
            self._taken.plan(name, (t0_s, t1_s))
            amounts.append(
                Amount(reading=r, t0_s=t0_s, t1_s=t1_s, value_si=r.net_si, origin=r.origin)
            )
            if quantity is not None:
                covers[Cover(quantity, self.target.node or None, t0_s, t1_s, "")] = None
        made = pieces_of(amounts, self.target)
        for field in ("joules", "deeds", "waits", "blocks"):
            getattr(seen.pieces, field).extend(getattr(made, field))
        seen.cover += covers


def quantity_of(kind: str) -> str | None:
    """The quantity of the coverage table that a kind belongs to."""
    if kind in WORK or kind in PRB:
        return "work"
    return "energy" if kind in ENERGY or kind == CPU else None


def _rest(gaps: Sequence[Cover], t0_s: float, t1_s: float) -> list[Cover]:
    """What of a time is covered beside gaps."""
    found: list[Cover] = []
    at_s = t0_s
    if not gaps:
        return found
    for gap in sorted(gaps, key=lambda g: g.t0_s):
        if gap.t0_s > at_s:
            found.append(gap._replace(t0_s=at_s, t1_s=gap.t0_s, reason=""))
        at_s = max(at_s, gap.t1_s)
    if at_s < t1_s:
        found.append(gaps[0]._replace(t0_s=at_s, t1_s=t1_s, reason=""))
    return found


def _moved(old: Reading | None, r: Reading, offset_s: float) -> Reading:
    """A reading whose start was told by a wall clock that is behind the agent's time.

    A start that is the same as at the look before was told by the clock of then.
    """
    if r.start_s is None or (old is not None and is_same_process(old, r)):
        return r
    return dataclasses.replace(r, start_s=r.start_s + offset_s)


def dumped(value: object) -> bytes:
    """Plain data as bytes of a state."""
    return json.dumps(value, separators=(",", ":")).encode()
