"""What traffic waits for when it comes to a sleeping cell.

Downlink wakes the cell: half of the transition, and what is left of the way down. Uplink cannot be
heard by a cell that sleeps: it waits for the end of the next RACH occasion, unless the cell has a
wake-up receiver. A cell that is about to get up for its burst is not waited for any longer than
that. What comes while the cell gets up for somebody else goes along with it.
"""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from tree6g.radio.broadcast import Broadcast
from tree6g.radio.pathloss import FloatArray
from tree6g.radio.power import StationPower
from tree6g.radio.sleep import Intervals, resting_state, union, wake_delay_s

UplinkWake = Literal["occasion", "signal"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arrivals:
    """Messages of several queues in order of readiness. Arrays are [message].

    Attributes:
        ready_s: When each is ready.
        open_s: Start that an earlier call gave it; its readiness if none did.
        service_s: Time on the air.
        queue: First-in first-out queue that it is in, from 0.
        uplink: Whether it comes from a terminal.
    """

    ready_s: FloatArray
    open_s: FloatArray
    service_s: FloatArray
    queue: npt.NDArray[np.intp]
    uplink: npt.NDArray[np.bool_]


@dataclasses.dataclass(slots=True)
class _Traffic:
    """What the messages so far keep the cell up for, and the end of what was before it."""

    from_s: float
    until_s: float
    before_s: float

    def add(self, open_s: float, end_s: float) -> None:
        """A message that can be served from `open_s` and is done at `end_s`."""
        if open_s > self.until_s:
            self.from_s, self.before_s = open_s, self.until_s
        elif open_s < self.from_s:
            self.from_s = open_s
        self.until_s = max(self.until_s, end_s)

    def end_before(self, t_s: float) -> float:
        """End of the last of it before a time at which there is none."""
        return self.until_s if self.until_s <= t_s else self.before_s


class _Around(NamedTuple):
    """What is around messages, by message.

    Attributes:
        awake: It comes within a burst or other traffic.
        since_s: End of the last burst before it.
        traffic_s: End of the other traffic before it.
        burst_s: Start of the next burst.
        heard_s: End of the next RACH occasion.
        busy_s: Start of the other traffic after it.
    """

    awake: list[bool]
    since_s: list[float]
    traffic_s: list[float]
    burst_s: list[float]
    heard_s: list[float]
    busy_s: list[float]


def open_s(
    station: StationPower,
    t0_s: float,
    t1_s: float,
    arrivals: Arrivals,
    *,
    other: Intervals,
    timer_s: float = 0.0,
    traffic_end_s: float = -np.inf,
    uplink_wake: UplinkWake = "occasion",
) -> FloatArray:
    """From when each message may be sent. [message].

    Args:
        station: Power states, and the common signals.
        t0_s: Start of the step.
        t1_s: Its end; no message is ready later.
        arrivals: Messages of the step, and those that are left from earlier ones.
        other: Traffic of the step that is known already.
        timer_s: Time without traffic before the cell sleeps.
        traffic_end_s: End of the last traffic before t0.
        uplink_wake: `occasion` or `signal` (a receiver that hears terminals all the time).
    """
    if not any(s.transition_s for s in station.sleep) or not len(arrivals.ready_s):
        return arrivals.open_s
    clear_s = [t0_s] * (int(arrivals.queue.max()) + 1)
    traffic = _Traffic(np.inf, traffic_end_s, traffic_end_s)
    near = _around(station, t0_s, t1_s, arrivals.ready_s, other, traffic_end_s)
    columns = (
        arrivals.ready_s, arrivals.open_s, arrivals.service_s, arrivals.queue, arrivals.uplink
    )  # fmt: skip
    messages = zip(*(column.tolist() for column in columns), near.awake, strict=True)
    opened = []
    for i, (ready_s, begin_s, service_s, queue, uplink, awake) in enumerate(messages):
        start_s = begin_s
        if ready_s < t0_s:
            start_s = max(begin_s, t0_s)
        elif not awake and not traffic.from_s <= ready_s <= traffic.until_s:
            deaf = uplink and uplink_wake == "occasion"
            start_s = _start_s(station, ready_s, near, i, traffic, timer_s, deaf=deaf)
        opened.append(start_s)
        clear_s[queue] = max(start_s, clear_s[queue]) + service_s
        traffic.add(start_s, clear_s[queue])
    return np.array(opened)


def _start_s(
    station: StationPower,
    ready_s: float,
    near: _Around,
    message: int,
    traffic: _Traffic,
    timer_s: float,
    *,
    deaf: bool,
) -> float:
    """From when a message that finds no traffic may be sent."""
    past_s = traffic.end_before(ready_s)
    entry_s = max(near.since_s[message], max(near.traffic_s[message], past_s) + timer_s)
    if entry_s >= ready_s:
        return ready_s
    burst_s = near.burst_s[message]
    state = resting_state(station, burst_s - entry_s)
    if state is None:
        return ready_s
    woken_s = ready_s + wake_delay_s(state, ready_s - entry_s)
    start_s = near.heard_s[message] if deaf else min(woken_s, burst_s)
    pending_s = traffic.from_s if traffic.from_s > ready_s else np.inf
    return min(start_s, near.busy_s[message], pending_s)


class Calendar(NamedTuple):
    """When a cell is up for its bursts, and the ends of its RACH occasions. [occasion]."""

    taken: Intervals
    heard_s: FloatArray


@lru_cache(maxsize=64)
def calendar(signals: Broadcast, t0_s: float, t1_s: float) -> Calendar:
    """The calendar around a step, kept because every cell of the step asks for it."""
    longest_s = signals.ssb_s + signals.sib1_s + signals.rach_s
    ahead_s = max(signals.rach_period_s, signals.period_s) + longest_s
    bursts = signals.bursts(t0_s - ahead_s - signals.period_s, t1_s + 2.0 * ahead_s)
    taken = union(bursts.start_s, bursts.end_s)
    return Calendar(taken, bursts.end_s[bursts.listen_s > 0.0])


def _around(
    station: StationPower,
    t0_s: float,
    t1_s: float,
    ready_s: FloatArray,
    other: Intervals,
    traffic_end_s: float,
) -> _Around:
    taken, heard_s = calendar(station.signals, t0_s, t1_s)
    beside = other.start_s.searchsorted(ready_s, side="right")
    since_s = taken.end_s[taken.start_s.searchsorted(ready_s, side="right") - 1]
    before_s = np.concatenate([[traffic_end_s], other.end_s])[beside]
    burst_s = station.signals.next_s(ready_s)
    hears_s = heard_s[heard_s.searchsorted(ready_s)] if len(heard_s) else burst_s
    busy_s = np.concatenate([other.start_s, [np.inf]])[beside]
    awake = (since_s > ready_s) | (before_s > ready_s)
    columns = (since_s, before_s, burst_s, hears_s, busy_s)
    return _Around(awake.tolist(), *(column.tolist() for column in columns))
