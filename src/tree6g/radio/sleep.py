"""When a cell sleeps between its bursts and its traffic, what that costs, and who waits for it.

A cell that has nothing to send waits for its idle timer and then sleeps until its next burst, in
the state of least energy whose transition fits into that time: the time of the burst is known, that
of the next message is not. A message that comes earlier wakes it. All times are those of the run.
"""

from __future__ import annotations

import dataclasses
import math
import operator
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from tree6g.radio.broadcast import Broadcast
from tree6g.radio.pathloss import FloatArray
from tree6g.radio.power import SleepState, StationPower

IntArray = npt.NDArray[np.int64]
LEAST_S: Final = 1e-9  # shorter gaps are rounding


class Intervals(NamedTuple):
    """Disjoint intervals in order of time. Both [interval]."""

    start_s: FloatArray
    end_s: FloatArray


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Duty:
    """What a cell did between t0 and t1.

    Attributes:
        duration_s: t1 - t0.
        asleep_s: Time in each sleep state. [state]
        entries: How often each was entered. [state]
        send_s: Time of SSB and SIB1.
        listen_s: Time of RACH occasions.
        traffic_end_s: End of the last traffic so far, minus infinity if there was none.
    """

    duration_s: float
    asleep_s: FloatArray
    entries: IntArray
    send_s: float
    listen_s: float
    traffic_end_s: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StationEnergy:
    """Energy of a cell over a time, by part.

    Attributes:
        asleep_j: Power of the sleep states.
        awake_j: Awake power of the time not slept.
        transition_j: Falling asleep and waking up.
        broadcast_j: SSB, SIB1 and RACH above awake.
        downlink_j: Traffic sent, above awake.
        uplink_j: Traffic received, above awake.
    """

    asleep_j: float
    awake_j: float
    transition_j: float
    broadcast_j: float
    downlink_j: float
    uplink_j: float

    @property
    def total_j(self) -> float:
        """Sum of the parts."""
        return (
            self.asleep_j + self.awake_j + self.transition_j + self.broadcast_j
            + self.downlink_j + self.uplink_j
        )  # fmt: skip


def union(start_s: FloatArray, end_s: FloatArray) -> Intervals:
    """Intervals that may overlap, as disjoint ones in order."""
    order = start_s.argsort(kind="stable")
    start, end = start_s[order], np.maximum.accumulate(end_s[order])
    opens = np.empty(len(start) + 1, dtype=bool)  # one more than there is: the last one closes
    opens[0] = opens[-1] = True
    np.greater(start[1:], end[:-1], out=opens[1:-1])
    return Intervals(start[opens[:-1]], end[opens[1:]])


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Signals:
    """Bursts that matter between t0 and t1, and what falls inside. Cells alike share it.

    Attributes:
        start_s: Start of each burst, those before t0 included that may last. [burst]
        end_s: Its end. [burst]
        send_s: Time of SSB and SIB1 between t0 and t1.
        listen_s: Time of RACH occasions between t0 and t1.
    """

    start_s: FloatArray
    end_s: FloatArray
    send_s: float
    listen_s: float


@lru_cache(maxsize=64)
def signals_between(signals: Broadcast, t0_s: float, t1_s: float) -> Signals:
    """The common signals between two times, kept because every cell of a step asks for them."""
    longest_s = signals.ssb_s + signals.sib1_s + signals.rach_s
    bursts = signals.bursts(t0_s - longest_s - 2.0 * signals.period_s, t1_s)
    sent_s, end_s = bursts.start_s + bursts.send_s, bursts.end_s
    return Signals(
        start_s=bursts.start_s,
        end_s=end_s,
        send_s=_overlap_s(bursts.start_s, sent_s, t0_s, t1_s),
        listen_s=_overlap_s(sent_s, end_s, t0_s, t1_s),
    )


def resting(station: StationPower, planned_s: FloatArray) -> IntArray:
    """State of least energy for each planned sleep: number in `station.sleep`, -1: stay awake.

    Args:
        station: Power states.
        planned_s: Time until the cell must be up again. [gap]
    """
    planned = np.asarray(planned_s, dtype=float)
    best_j = station.awake_w * planned
    chosen = np.full(planned.shape, -1, dtype=np.int64)
    for n, state in enumerate(station.sleep):
        energy_j = state.power_w * planned + state.transition_j
        better = (state.transition_s <= planned * (1.0 + 1e-9)) & (energy_j < best_j)
        best_j = np.where(better, energy_j, best_j)
        chosen[better & (planned > LEAST_S)] = n
    return chosen


def resting_state(station: StationPower, planned_s: float) -> SleepState | None:
    """`resting` for one planned sleep, None: stay awake; the loop over messages needs it quick."""
    best_j, chosen = station.awake_w * planned_s, None
    for state in station.sleep:
        energy_j = state.power_w * planned_s + state.transition_j
        fits = state.transition_s <= planned_s * (1.0 + 1e-9) and planned_s > LEAST_S
        if fits and energy_j < best_j:
            best_j, chosen = energy_j, state
    return chosen


def asleep_in(
    station: StationPower, t_s: float, *, timer_s: float = 0.0, traffic_end_s: float = -np.inf
) -> SleepState | None:
    """State that a cell without traffic since then is in at a time, as `duty` has it.

    None: it is awake, or sleeps from this very time on.
    """
    past = signals_between(station.signals, t_s, t_s)
    gap_start_s = float(past.end_s.max())
    entry_s = max(gap_start_s, traffic_end_s, traffic_end_s + timer_s)
    burst_s = float(station.signals.next_s(gap_start_s))
    if entry_s >= t_s or burst_s - t_s <= LEAST_S:
        return None
    return resting_state(station, burst_s - entry_s)


def duty(
    station: StationPower,
    t0_s: float,
    t1_s: float,
    busy: Intervals,
    *,
    timer_s: float = 0.0,
    traffic_end_s: float = -np.inf,
) -> Duty:
    """What a cell that is switched on does between t0 and t1.

    Args:
        station: Power states, and the common signals.
        t0_s: Start.
        t1_s: End; a gap that it cuts goes on in the next call.
        busy: Traffic in either direction, waiting for a wake-up not included.
        timer_s: Time without traffic before the cell sleeps; bursts do not reset it.
        traffic_end_s: End of the last traffic before t0.
    """
    start, end = (np.minimum(np.maximum(edge, t0_s), t1_s) for edge in busy)
    common = signals_between(station.signals, t0_s, t1_s)
    taken = union(np.concatenate([start, common.start_s]), np.concatenate([end, common.end_s]))
    gap_start, gap_end = taken.end_s, np.append(taken.start_s[1:], np.inf)
    inside = (gap_end > t0_s) & (gap_start < t1_s)
    gap_start, gap_end = gap_start[inside], np.minimum(gap_end[inside], t1_s)
    last = np.concatenate([[traffic_end_s], end])[np.searchsorted(start, gap_start, side="right")]
    entry = np.maximum(np.maximum(gap_start, traffic_end_s), last + timer_s)
    chosen = resting(station, station.signals.next_s(gap_start) - entry)
    slept = np.maximum(gap_end - np.maximum(entry, t0_s), 0.0)
    states = range(len(station.sleep))
    entered = (entry >= t0_s) & (entry < gap_end)
    return Duty(
        duration_s=t1_s - t0_s,
        asleep_s=np.array([slept[chosen == n].sum() for n in states]),
        entries=np.array([np.count_nonzero(entered & (chosen == n)) for n in states], dtype=int),
        send_s=common.send_s,
        listen_s=common.listen_s,
        traffic_end_s=max(traffic_end_s, float(end[-1])) if len(end) else traffic_end_s,
    )


def station_energy(
    station: StationPower, did: Duty, *, downlink_s: float, uplink_s: float
) -> StationEnergy:
    """Energy of a cell over a time, by part.

    Broadcast during traffic shares its symbols and costs nothing more; with FDD, neither does
    receiving while the cell sends traffic or broadcast (TR 38.864). They meet by chance within the
    time; only RACH occasions are never at the time of broadcast.

    Args:
        station: Power states.
        did: When it slept and sent its common signals.
        downlink_s: Time of it in which the whole band was sent with full power.
        uplink_s: Time of it in which the whole band was received.
    """
    alone, hears = _unshared_frac(station, did, downlink_s)
    asleep_s, entries = did.asleep_s.tolist(), did.entries.tolist()
    power_w = [state.power_w for state in station.sleep]
    transition_j = [state.transition_j for state in station.sleep]
    receive_w = station.uplink_w - station.awake_w
    return StationEnergy(
        asleep_j=math.fsum(map(operator.mul, power_w, asleep_s)),
        awake_j=station.awake_w * (did.duration_s - math.fsum(asleep_s)),
        transition_j=math.fsum(map(operator.mul, transition_j, entries)),
        broadcast_j=(station.broadcast_w - station.awake_w) * did.send_s * alone
        + receive_w * did.listen_s * (alone if station.fdd else 1.0),
        downlink_j=(station.downlink_w - station.awake_w) * downlink_s,
        uplink_j=receive_w * uplink_s * hears,
    )


def station_total_j(
    station: StationPower, did: Duty, *, downlink_s: float, uplink_s: float
) -> float:
    """The same energy from the power of each state for its whole time, as a check of the parts."""
    alone, hears = _unshared_frac(station, did, downlink_s)
    sending_s = did.send_s * alone
    hearing_s = did.listen_s * (alone if station.fdd else 1.0) + uplink_s * hears
    waiting_s = (
        did.duration_s - math.fsum(did.asleep_s.tolist()) - sending_s - hearing_s - downlink_s
    )
    asleep_j = math.fsum(
        state.power_w * time_s + state.transition_j * entries
        for state, time_s, entries in zip(
            station.sleep, did.asleep_s.tolist(), did.entries.tolist(), strict=True
        )
    )
    return (
        asleep_j
        + station.awake_w * waiting_s
        + station.downlink_w * downlink_s
        + station.uplink_w * hearing_s
        + station.broadcast_w * sending_s
    )


def _unshared_frac(station: StationPower, did: Duty, downlink_s: float) -> tuple[float, float]:
    """Share of broadcast without downlink traffic, and of uplink traffic that costs anything."""
    if not did.duration_s:
        return 1.0, 1.0
    alone = max(0.0, 1.0 - downlink_s / did.duration_s)
    silent = max(0.0, 1.0 - did.send_s / did.duration_s)
    return alone, alone * silent if station.fdd else 1.0


def idle_power_w(station: StationPower) -> float:
    """Mean power of a cell that is on and has no traffic: bursts, sleep, transitions."""
    signals = station.signals
    round_s = max(signals.ssb_period_s, signals.sib1_period_s, signals.rach_period_s)
    nothing = Intervals(np.empty(0), np.empty(0))
    did = duty(station, round_s, 2.0 * round_s, nothing)
    return station_energy(station, did, downlink_s=0.0, uplink_s=0.0).total_j / round_s


def wake_delay_s(state: SleepState, asleep_s: float) -> float:
    """Time from a message to a cell that can send it: half the transition.

    A cell that is still going to sleep finishes that first, so that it is never asleep for less
    than the whole transition.

    Args:
        state: The state it is in.
        asleep_s: Time since it began to go there.
    """
    return state.wake_s + max(0.0, state.wake_s - asleep_s)


def _overlap_s(start_s: FloatArray, end_s: FloatArray, t0_s: float, t1_s: float) -> float:
    return float(np.maximum(np.minimum(end_s, t1_s) - np.maximum(start_s, t0_s), 0.0).sum())
