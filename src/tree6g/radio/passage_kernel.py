"""Queues of messages through one step: first-in first-out, or in turn.

The same as `airtime.fifo_departure_s` and `airtime.sharing_departure_s`, which are the oracle, as
loops over flat tables that run compiled or plain.
"""

from __future__ import annotations

import math

from tree6g.radio.step_tables import Column, Passed, Queues, Scratch, Waiting


def sort_runs(key: Column, order: Column, spare: Column, first: int, last: int) -> None:
    """Numbers of messages in order of their keys, equal ones as they stand: merge sort by runs."""
    for i in range(first, last):
        order[i] = i
    begin = first
    while begin < last:
        begin, runs = first, 0
        while begin < last:
            middle = run_end(key, order, begin, last)
            if begin == first and middle == last:
                return
            end = run_end(key, order, middle, last) if middle < last else middle
            merge(key, order, spare, begin, middle, end)
            begin = end
            runs += 1
        for i in range(first, last):
            order[i] = spare[i]
        begin = first


def run_end(key: Column, order: Column, begin: int, last: int) -> int:
    """One past the last message of the run that begins here."""
    end = begin + 1
    while end < last and key[order[end]] >= key[order[end - 1]]:
        end += 1
    return end


def merge(key: Column, order: Column, spare: Column, begin: int, middle: int, end: int) -> None:
    """Two runs beside one another become one."""
    a, b = begin, middle
    for i in range(begin, end):
        if b >= end or (a < middle and key[order[a]] <= key[order[b]]):
            spare[i] = order[a]
            a += 1
        else:
            spare[i] = order[b]
            b += 1


def share_speeds(
    demand_s: Column, speed: Column, spare_s: Column, first: int, last: int, capacity_s: float
) -> None:
    """Speeds of queues of one pool, as `airtime.speed_frac` has them."""
    total_s = 0.0
    for q in range(first, last):
        total_s += demand_s[q]
        speed[q] = demand_s[q]  # for now what each is granted
    if last - first == 1:
        speed[first] = 1.0
        return
    if total_s > capacity_s:
        level_s = fair_level_s(demand_s, spare_s, first, last, capacity_s)
        for q in range(first, last):
            speed[q] = min(demand_s[q], level_s)
    granted = 0.0
    for q in range(first, last):
        speed[q] = speed[q] / capacity_s
        granted += speed[q]
    for q in range(first, last):
        if not demand_s[q] > speed[q] * capacity_s * (1.0 + 1e-12):
            speed[q] = 1.0 / (1.0 + granted - speed[q])


def fair_level_s(
    demand_s: Column, spare_s: Column, first: int, last: int, capacity_s: float
) -> float:
    """Airtime that nobody gets more than under max-min fairness."""
    for q in range(first, last):
        at = q
        while at > first and spare_s[at - 1] > demand_s[q]:
            spare_s[at] = spare_s[at - 1]
            at -= 1
        spare_s[at] = demand_s[q]
    left_s, level_s = capacity_s, 0.0
    for q in range(first, last):
        level_s = left_s / (last - q)
        if spare_s[q] > level_s:
            break
        left_s -= spare_s[q]
    return level_s


def pass_in_order(
    waiting: Waiting, out: Passed, first: int, last: int, speed: float, t0_s: float, t1_s: float
) -> None:
    """One queue, the first message first, at a constant speed."""
    free_s = t0_s
    for i in range(first, last):
        need_s = waiting.air_s[i]
        start_s = max(waiting.open_s[i], t0_s, free_s)
        free_s = start_s + need_s / speed
        out.start_s[i], out.end_s[i] = start_s, free_s
        used_s = need_s
        if free_s > t1_s:
            used_s = max(min((t1_s - start_s) * speed, need_s), 0.0)
        out.used_s[i] = out.data_s[i] = used_s


def pass_in_turn(
    waiting: Waiting,
    out: Passed,
    scratch: Scratch,
    span: tuple[int, int],
    speed: float,
    t0_s: float,
    t1_s: float,
) -> None:
    """One queue whose messages share the time, none faster than its part of the pool allows."""
    first, last = span
    need_s, begin_s = scratch.key_s, out.start_s
    for i in range(first, last):
        begin_s[i] = max(waiting.open_s[i], t0_s)
        most_s = max(t1_s - begin_s[i], 0.0) * waiting.part_frac[i]
        out.used_s[i] = min(waiting.air_s[i], most_s)  # for now what it can use
        need_s[i] = out.used_s[i] / speed
        out.data_s[i] = need_s[i]  # for now what is left of it
        out.end_s[i] = math.inf
    sort_runs(begin_s, scratch.order, scratch.spare, first, last)
    serve_equally(out, scratch, first, last, t0_s, t1_s)
    for i in range(first, last):
        part_frac = waiting.part_frac[i]
        out.used_s[i] = out.used_s[i] - out.data_s[i] * speed
        out.data_s[i] = out.used_s[i] / part_frac
        alone_s = begin_s[i] + waiting.air_s[i] / part_frac
        out.end_s[i] = max(out.end_s[i], alone_s) if begin_s[i] < t1_s else math.inf


def serve_equally(
    out: Passed, scratch: Scratch, first: int, last: int, t0_s: float, t1_s: float
) -> None:
    """Processor sharing, event by event; `spare` is a heap of those who are served."""
    until_s, heap, size = scratch.other_s, scratch.spare, 0
    now_s, served_s = t0_s, 0.0
    for at in range(first, last + 1):
        ended = at == last
        number = -1 if ended else scratch.order[at]
        at_s = t1_s if ended else out.start_s[number]
        stop_s = min(at_s, t1_s)
        while size > 0:
            done_s = now_s + (until_s[heap[first]] - served_s) * size
            if done_s > stop_s:
                served_s += (stop_s - now_s) / size
                break
            done = heap[first]
            served_s = until_s[done]
            size -= 1
            heap[first] = heap[first + size]
            sink(until_s, heap, first, size)
            now_s = done_s
            out.end_s[done], out.data_s[done] = done_s, 0.0
        now_s = max(now_s, stop_s)
        if ended or at_s >= t1_s:
            break
        until_s[number] = served_s + scratch.key_s[number]
        heap[first + size] = number
        size += 1
        rise(until_s, heap, first, size)
    for k in range(size):
        out.data_s[heap[first + k]] = until_s[heap[first + k]] - served_s


def earlier(until_s: Column, one: int, other: int) -> bool:
    """Whether a message is done before another: by time, then by number."""
    if until_s[one] == until_s[other]:
        return one < other
    return bool(until_s[one] < until_s[other])


def rise(until_s: Column, heap: Column, first: int, size: int) -> None:
    """Put the last of a heap in its place."""
    k = size - 1
    moved = heap[first + k]
    while k > 0:
        above = (k - 1) // 2
        if not earlier(until_s, moved, heap[first + above]):
            break
        heap[first + k] = heap[first + above]
        k = above
    heap[first + k] = moved


def sink(until_s: Column, heap: Column, first: int, size: int) -> None:
    """Put the first of a heap in its place."""
    if size == 0:
        return
    k, moved = 0, heap[first]
    while 2 * k + 1 < size:
        below = 2 * k + 1
        if below + 1 < size and earlier(until_s, heap[first + below + 1], heap[first + below]):
            below += 1
        if not earlier(until_s, heap[first + below], moved):
            break
        heap[first + k] = heap[first + below]
        k = below
    heap[first + k] = moved


def pool_speeds(
    waiting: Waiting,
    queues: Queues,
    scratch: Scratch,
    span: tuple[int, int],
    step_s: float,
    parts: bool,  # noqa: FBT001 - kernels take no keywords
) -> None:
    """Speed of each queue of a cell beside the others of its pool.

    Args:
        waiting: Messages.
        queues: Their queues.
        scratch: Room; `speed` is what comes out.
        span: First queue and one past the last.
        step_s: Length of the step.
        parts: Whether a queue in turn asks for no more than its terminals can use in the step.
    """
    demand_s, first = scratch.clear_s, span[0]
    for q in range(span[0], span[1]):
        total_s = 0.0
        for i in range(queues.first[q], queues.first[q + 1]):
            need_s = waiting.air_s[i]
            if parts and queues.in_turn[q]:
                need_s = min(need_s, waiting.part_frac[i] * step_s)
            total_s += need_s
        demand_s[q] = total_s
    while first < span[1]:
        last = first + 1
        while last < span[1] and queues.pool[last] == queues.pool[first]:
            last += 1
        share_speeds(demand_s, scratch.speed, scratch.ranked_s, first, last, step_s)
        first = last
