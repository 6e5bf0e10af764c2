"""From when the messages of a cell may be sent, as `radio.wake.open_s` has it, over flat tables.

`radio.wake` is the oracle; these loops run compiled or plain.
"""

from __future__ import annotations

import math
from typing import Final

from tree6g.radio.passage_kernel import sort_runs
from tree6g.radio.step_tables import Cells, Column, Queues, Scratch, Stations, Waiting, Windows

ROUND: Final = 1e-9  # as `broadcast.ROUND` and `sleep.LEAST_S`, which the compiler would not follow
AWAKE: Final = -1


def resting_number(stations: Stations, station: int, planned_s: float) -> int:
    """State of least energy for a planned sleep, -1: stay awake; as `sleep.resting_state`."""
    best_j, chosen = stations.awake_w[station] * planned_s, AWAKE
    for n in range(stations.state[station], stations.state[station + 1]):
        energy_j = stations.power_w[n] * planned_s + stations.transition_j[n]
        fits = stations.transition_s[n] <= planned_s * (1.0 + ROUND) and planned_s > ROUND
        if fits and energy_j < best_j:
            best_j, chosen = energy_j, n
    return chosen


def next_burst_s(stations: Stations, station: int, t_s: float) -> float:
    """Start of the first burst after a time; as `Broadcast.next_s`."""
    period_s = stations.period_s[station]
    return (math.floor(t_s / period_s + ROUND) + 1.0) * period_s


def start_s(
    stations: Stations,
    station: int,
    ready_s: float,
    entry_s: float,
    hears_s: float,
    deaf: bool,  # noqa: FBT001 - kernels take no keywords
) -> float:
    """From when a message may be sent that comes to a cell which fell asleep at `entry_s`.

    Args:
        stations: Power states.
        station: Number of the cell's.
        ready_s: When it is ready.
        entry_s: When the cell fell asleep, or would.
        hears_s: End of the next RACH occasion.
        deaf: Whether the message must wait for that.
    """
    if entry_s >= ready_s:
        return ready_s
    burst_s = next_burst_s(stations, station, ready_s)
    state = resting_number(stations, station, burst_s - entry_s)
    if state == AWAKE:
        return ready_s
    if deaf:
        return hears_s
    wake_s = stations.wake_s[state]
    return min(ready_s + (wake_s + max(0.0, wake_s - (ready_s - entry_s))), burst_s)


def open_cell(
    waiting: Waiting,
    queues: Queues,
    cells: Cells,
    stations: Stations,
    before: Windows,
    scratch: Scratch,
    cell: int,
    t0_s: float,
) -> None:
    """Set `open_s` of all messages of a cell.

    Args:
        waiting: Messages.
        queues: Their queues; `scratch.speed` has the speed of each.
        cells: The cells.
        stations: Their power states.
        before: Traffic of the step that is known already.
        scratch: Room.
        cell: Which one.
        t0_s: Start of the step.
    """
    station, timer_s = cells.station[cell], cells.timer_s[cell]
    q0, q1 = cells.queue[cell], cells.queue[cell + 1]
    number_queues(queues, scratch, (q0, q1), t0_s)
    first, last = queues.first[q0], queues.first[q1]
    sort_runs(waiting.heard_s, scratch.order, scratch.spare, first, last)
    burst, occasion = stations.burst[station], stations.occasion[station]
    window, ended_s = before.first[cell], cells.traffic_end_s[cell]
    windows = window + before.count[cell]
    from_s, until_s, earlier_s = math.inf, ended_s, ended_s  # traffic of the messages so far
    for k in range(first, last):
        i = scratch.order[k]
        ready_s, q = waiting.heard_s[i], int(scratch.other_s[i])
        opened_s = max(waiting.open_s[i], t0_s) if ready_s < t0_s else waiting.open_s[i]
        if ready_s >= t0_s and not from_s <= ready_s <= until_s:
            burst = after(stations.burst_start_s, burst, stations.burst[station + 1], ready_s)
            window = after(before.start_s, window, windows, ready_s)
            if window > before.first[cell]:
                ended_s = before.end_s[window - 1]
            since_s = stations.burst_end_s[burst - 1]
            if since_s <= ready_s and ended_s <= ready_s:  # no burst and no other traffic then
                occasions = stations.occasion[station + 1]
                occasion = reaching(stations.occasion_s, occasion, occasions, ready_s)
                hears_s = value(stations.occasion_s, occasion, occasions)
                past_s = until_s if until_s <= ready_s else earlier_s
                entry_s = max(since_s, max(ended_s, past_s) + timer_s)
                deaf = bool(queues.uplink[q]) and bool(cells.deaf[cell])
                opened_s = start_s(stations, station, ready_s, entry_s, hears_s, deaf)
                if opened_s > ready_s:
                    pending_s = from_s if from_s > ready_s else math.inf
                    opened_s = min(opened_s, value(before.start_s, window, windows), pending_s)
        waiting.open_s[i] = opened_s
        need_s = waiting.air_s[i] / scratch.speed[q]
        scratch.clear_s[q] = max(opened_s, scratch.clear_s[q]) + need_s
        if opened_s > until_s:
            from_s, earlier_s = opened_s, until_s
        from_s = min(from_s, opened_s)
        until_s = max(until_s, scratch.clear_s[q])


def after(time_s: Column, at: int, end: int, t_s: float) -> int:
    """The first time after another, from a place on."""
    while at < end and time_s[at] <= t_s:
        at += 1
    return at


def reaching(time_s: Column, at: int, end: int, t_s: float) -> int:
    """The first time that is not before another, from a place on."""
    while at < end and time_s[at] < t_s:
        at += 1
    return at


def value(time_s: Column, at: int, end: int) -> float:
    """A time, infinity behind the last."""
    return time_s[at] if at < end else math.inf


def number_queues(queues: Queues, scratch: Scratch, span: tuple[int, int], t0_s: float) -> None:
    """Note the queue of each message in `other_s`; every queue is clear at the start."""
    for q in range(span[0], span[1]):
        scratch.clear_s[q] = t0_s
        for i in range(queues.first[q], queues.first[q + 1]):
            scratch.other_s[i] = q
