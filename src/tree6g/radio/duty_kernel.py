"""When a cell has traffic, and what it does in a step, as `radio.sleep.duty`, over flat tables."""

from __future__ import annotations

import math

from tree6g.radio.passage_kernel import (
    pass_in_order,
    pass_in_turn,
    pool_speeds,
    sort_runs,
)
from tree6g.radio.step_tables import (
    Cells,
    Column,
    Passed,
    Queues,
    Scratch,
    Stations,
    Waiting,
    Windows,
)
from tree6g.radio.wake_kernel import next_burst_s, open_cell, resting_number


def add_windows(
    out: Passed, queues: Queues, cells: Cells, windows: Windows, scratch: Scratch, cell: int,
    t1_s: float,
) -> None:  # fmt: skip
    """Times in which a cell sends or receives, from its transmissions, as `sleep.union`.

    Queues that used no airtime leave none.
    """
    q0, q1 = cells.queue[cell], cells.queue[cell + 1]
    first, last = queues.first[q0], queues.first[q1]
    count = first
    for q in range(q0, q1):
        used_s = 0.0
        for i in range(queues.first[q], queues.first[q + 1]):
            used_s += out.used_s[i]
        if not queues.sends[q] or used_s <= 0.0:
            continue
        for i in range(queues.first[q], queues.first[q + 1]):
            if out.start_s[i] < t1_s:
                scratch.key_s[count] = out.start_s[i]
                scratch.other_s[count] = min(out.end_s[i], t1_s)
                count += 1
    sort_runs(scratch.key_s, scratch.order, scratch.spare, first, min(count, last))
    at = windows.first[cell] - 1
    for k in range(first, count):
        i = scratch.order[k]
        if k == first or scratch.key_s[i] > windows.end_s[at]:
            at += 1
            windows.start_s[at], windows.end_s[at] = scratch.key_s[i], scratch.other_s[i]
        elif scratch.other_s[i] > windows.end_s[at]:
            windows.end_s[at] = scratch.other_s[i]
    windows.count[cell] = at + 1 - windows.first[cell]


def send_cells(
    waiting: Waiting,
    queues: Queues,
    cells: Cells,
    stations: Stations,
    before: Windows,
    tables: tuple[Passed, Windows, Scratch],
    span: tuple[int, int],
    t0_s: float,
    t1_s: float,
) -> None:
    """One direction of some cells through a step: who may be sent when, and what gets through.

    Args:
        waiting: Messages; `open_s` is set.
        queues: Their queues.
        cells: The cells.
        stations: Their power states.
        before: Traffic of the step that is known already.
        tables: What comes out: the messages, the times of traffic; and room.
        span: First cell and one past the last.
        t0_s: Start of the step.
        t1_s: Its end.
    """
    out, windows, scratch = tables
    for cell in range(span[0], span[1]):
        queue_span = (cells.queue[cell], cells.queue[cell + 1])
        windows.count[cell] = 0
        if queue_span[0] == queue_span[1]:
            continue
        if cells.waits[cell]:
            pool_speeds(waiting, queues, scratch, queue_span, t1_s - t0_s, False)
            open_cell(waiting, queues, cells, stations, before, scratch, cell, t0_s)
        for i in range(queues.first[queue_span[0]], queues.first[queue_span[1]]):
            waiting.open_s[i] = max(waiting.open_s[i], cells.from_s[cell])
        pool_speeds(waiting, queues, scratch, queue_span, t1_s - t0_s, True)
        for q in range(queue_span[0], queue_span[1]):
            if not queues.sends[q]:
                continue
            first, last = queues.first[q], queues.first[q + 1]
            if queues.in_turn[q]:
                pass_in_turn(waiting, out, scratch, (first, last), scratch.speed[q], t0_s, t1_s)
            else:
                pass_in_order(waiting, out, first, last, scratch.speed[q], t0_s, t1_s)
        add_windows(out, queues, cells, windows, scratch, cell, t1_s)


def duty_cells(
    cells: Cells,
    stations: Stations,
    up: Windows,
    down: Windows,
    out: tuple[Column, Column, Column],
    states: int,
    span: tuple[int, int],
    t1_s: float,
) -> None:
    """What some cells do between `cells.from_s` and t1; as `sleep.duty`.

    Args:
        cells: The cells.
        stations: Their power states.
        up: Traffic of the uplink.
        down: Traffic of the downlink.
        out: Time asleep and entries, [cell x states], and the end of the last traffic, [cell].
        states: Most states that a station has.
        span: First cell and one past the last.
        t1_s: End of the step.
    """
    for cell in range(span[0], span[1]):
        duty_cell(cells, stations, up, down, out, cell, cell * states, t1_s)


def duty_cell(
    cells: Cells,
    stations: Stations,
    up: Windows,
    down: Windows,
    out: tuple[Column, Column, Column],
    cell: int,
    row: int,
    t1_s: float,
) -> None:
    """One of them."""
    asleep_s, entries, ended_s = out
    station, t0_s = cells.station[cell], cells.from_s[cell]
    for n in range(stations.state[station + 1] - stations.state[station]):
        asleep_s[row + n] = 0.0
        entries[row + n] = 0
    common, commons = stations.common[station], stations.common[station + 1]
    a, b = up.first[cell], down.first[cell]
    a_end, b_end = a + up.count[cell], b + down.count[cell]
    last_s, until_s = cells.traffic_end_s[cell], -math.inf
    while True:
        burst_s = stations.common_start_s[common] if common < commons else math.inf
        up_s = max(min(up.start_s[a], t1_s), t0_s) if a < a_end else math.inf
        down_s = max(min(down.start_s[b], t1_s), t0_s) if b < b_end else math.inf
        start_s = min(burst_s, up_s, down_s)
        if start_s > until_s > -math.inf:
            rest_until(cells, stations, out, cell, row, (until_s, start_s, last_s), t1_s)
        if start_s == math.inf:
            break
        if up_s == start_s:
            end_s = max(min(up.end_s[a], t1_s), t0_s)
            last_s = max(last_s, end_s)
            a += 1
        elif down_s == start_s:
            end_s = max(min(down.end_s[b], t1_s), t0_s)
            last_s = max(last_s, end_s)
            b += 1
        else:
            end_s = stations.common_end_s[common]
            common += 1
        until_s = max(until_s, end_s)
    ended_s[cell] = last_s


def rest_until(
    cells: Cells,
    stations: Stations,
    out: tuple[Column, Column, Column],
    cell: int,
    row: int,
    gap: tuple[float, float, float],
    t1_s: float,
) -> None:
    """A gap between bursts and traffic: its start, its end, and the end of the last traffic."""
    start_s, end_s, last_s = gap
    station, t0_s = cells.station[cell], cells.from_s[cell]
    if not (end_s > t0_s and start_s < t1_s):
        return
    end_s = min(end_s, t1_s)
    entry_s = max(start_s, cells.traffic_end_s[cell], last_s + cells.timer_s[cell])
    planned_s = next_burst_s(stations, station, start_s) - entry_s
    chosen = resting_number(stations, station, planned_s)
    if chosen < 0:
        return
    n = row + chosen - stations.state[station]
    out[0][n] += max(end_s - max(entry_s, t0_s), 0.0)
    if t0_s <= entry_s < end_s:
        out[1][n] += 1
