"""The loop of a server: a pass per run of like iterations, constant work apart from heaps."""

from __future__ import annotations

import math
from typing import Any

from tree6g.compute.serving.account import (
    count_energy,
    count_gaps,
    count_time,
    fill_bins,
    keep_last,
    log_run,
    run_length,
    series,
    share,
)
from tree6g.compute.serving.blocks import blocks_of_run, give_back, longest_run, take_blocks
from tree6g.compute.serving.heap import heap_pop
from tree6g.compute.serving.layout import (
    AHEAD,
    ARRIVAL_S,
    BLOCK_BITS,
    BLOCK_TOK,
    BY_PRIORITY,
    CHUNK_AT,
    CHUNKS,
    CLOCK_S,
    CONTEXT_J,
    CONTEXT_TOK,
    CROSSINGS,
    CROSSINGS_AT,
    DEADLINE_S,
    DECODING,
    DONE,
    EDGES,
    ENDS,
    ENDS_AT,
    FINISH_S,
    FIRST_S,
    FREE,
    GROWING,
    ITERATIONS,
    KEY_BITS,
    KEY_MASK,
    KV_S,
    LOGGING,
    NEXT,
    NOBODY,
    OUTPUT_TOK,
    OWN_J,
    PARTIAL,
    PASSES,
    PAUSE_S,
    PHASE,
    PHASE_AT,
    PLACES,
    PRODUCED,
    PROMPT_TOK,
    RUNS,
    RUNS_ROOM,
    S_PER_J,
    SEGMENTS,
    SEGMENTS_ROOM,
    SKIPPING,
    STATIC_W,
    TABLES,
    TOTAL,
    UNTIL_S,
    WAITING,
    WAITING_TOK,
    WINDOW_CONTEXT_TOK,
    WINDOW_J,
    WINDOW_KV_S,
    F,
    Q,
)
from tree6g.compute.serving.prompts import compute_chunks, form_chunks, make_room
from tree6g.compute.serving.queue import (
    arrive,
    crosses_here,
    ends_here,
    finish,
    first_waiting,
    join_batch,
    leave_batch,
    lose_patient,
)
from tree6g.compute.serving.requests import FloatArray, IntArray


def run_until(
    c: FloatArray,
    x: FloatArray,
    n: IntArray,
    f: FloatArray,
    q: IntArray,
    w: IntArray,
    g: IntArray,
    runs: FloatArray,
    segments: IntArray,
) -> bool:
    """Work until `UNTIL_S`, or until all is done if that is never; false if the log is full."""
    until = min(x[UNTIL_S], x[PAUSE_S])
    while x[CLOCK_S] < until:
        if n[LOGGING] != 0 and (
            n[RUNS] >= n[RUNS_ROOM] or n[SEGMENTS] + n[PLACES] > n[SEGMENTS_ROOM]
        ):
            return False
        arrive(x, n, f, q, w)
        preempted = make_room(c, x, n, f, q, w, g)
        n[CHUNKS] = 0
        if n[PARTIAL] != NOBODY or (n[WAITING] > 0 and n[DECODING] < n[PLACES]):
            form_chunks(x, n, f, q, w, g, preempted)
        if n[CHUNKS] > 0:
            iterate(c, x, n, f, q, w, g, runs, segments)
        elif n[DECODING] > 0:
            decode(c, x, n, f, q, w, g, runs, preempted)
        elif n[NEXT] < n[TOTAL]:
            x[CLOCK_S] = min(f[n[NEXT] * F + ARRIVAL_S], until)
        elif math.isinf(x[UNTIL_S]):
            break
        else:
            x[CLOCK_S] = until
        n[PASSES] += 1
    return True


def pointer(a: Any) -> Any:
    """What a kernel takes of an array: compiled code has its address, plain Python the array."""
    return a


def run_arrays(
    c: FloatArray,
    x: FloatArray,
    n: IntArray,
    f: FloatArray,
    q: IntArray,
    w: IntArray,
    g: IntArray,
    runs: FloatArray,
    segments: IntArray,
) -> bool:
    """`run_until` on whole arrays."""
    return run_until(
        pointer(c),
        pointer(x),
        pointer(n),
        pointer(f),
        pointer(q),
        pointer(w),
        pointer(g),
        pointer(runs),
        pointer(segments),
    )


def iterate(
    c: FloatArray,
    x: FloatArray,
    n: IntArray,
    f: FloatArray,
    q: IntArray,
    w: IntArray,
    g: IntArray,
    runs: FloatArray,
    segments: IntArray,
) -> None:
    """One iteration with chunks of prompts."""
    chunks = n[CHUNKS]
    compute_chunks(c, x, n, f, q, runs)
    grow(c, x, n, f, q, w, g, 1)
    n[PARTIAL] = NOBODY
    for k in range(chunks):
        i = n[n[CHUNK_AT] + 2 * k]
        at = i * Q
        q[at + DONE] += n[n[CHUNK_AT] + 2 * k + 1]
        gone = q[at + PRODUCED] == 0 and f[i * F + DEADLINE_S] < x[CLOCK_S]
        if gone:
            lose_patient(n, q, i)
            f[i * F + FINISH_S] = x[CLOCK_S]
            give_back(n, q, g, i, q[at + DONE])
        elif q[at + DONE] < q[at + PROMPT_TOK] + q[at + PRODUCED]:
            n[PARTIAL] = i
        else:
            sample(c, x, n, f, q, w, g, segments, i)


def sample(
    c: FloatArray,
    x: FloatArray,
    n: IntArray,
    f: FloatArray,
    q: IntArray,
    w: IntArray,
    g: IntArray,
    segments: IntArray,
    i: int,
) -> None:
    """A prompt is done: its first token is there, or after a preemption the next one."""
    at = i * Q
    if q[at + PRODUCED] == 0:
        f[i * F + FIRST_S] = x[CLOCK_S]
        n[WAITING_TOK] -= q[at + PROMPT_TOK]
    elif n[EDGES] > 0:
        count_gaps(c, x, n, x[CLOCK_S] - f[i * F + FINISH_S], 0.0, 1, 1)
    q[at + PRODUCED] += 1
    if n[LOGGING] != 0:
        segments[3 * n[SEGMENTS]] = i
        segments[3 * n[SEGMENTS] + 1] = q[at + PRODUCED]
        segments[3 * n[SEGMENTS] + 2] = n[ITERATIONS] - 1
        n[SEGMENTS] += 1
    if q[at + PRODUCED] == q[at + OUTPUT_TOK]:
        finish(x, n, f, q, g, i, q[at + DONE])
    else:
        join_batch(x, n, f, q, w, i)


def decode(
    c: FloatArray,
    x: FloatArray,
    n: IntArray,
    f: FloatArray,
    q: IntArray,
    w: IntArray,
    g: IntArray,
    runs: FloatArray,
    preempted: bool,  # noqa: FBT001 - compiled
) -> None:
    """A run of iterations that only decode, up to the next event."""
    decoding = n[DECODING]
    growing = n[GROWING]
    base_j = c[TABLES + n[PLACES] + 1 + decoding]
    context_j = c[CONTEXT_J] * n[CONTEXT_TOK] + c[WINDOW_J] * n[WINDOW_CONTEXT_TOK]
    read_s = c[KV_S] * n[CONTEXT_TOK] + c[WINDOW_KV_S] * n[WINDOW_CONTEXT_TOK]
    a = c[TABLES + decoding] + read_s
    b = c[KV_S] * decoding + c[WINDOW_KV_S] * growing
    e = base_j + context_j
    d = c[CONTEXT_J] * decoding + c[WINDOW_J] * growing
    most = 1
    if n[SKIPPING] != 0 and not preempted:
        most = next_change(n, decoding)
    slow = e * c[S_PER_J] - a  # how much longer the power limit makes the iteration
    steeper = d * c[S_PER_J] - b
    if slow * steeper < 0.0 and abs(slow) < abs(steeper) * most:
        most = max(1, math.ceil(-slow / steeper))
    if slow > 0.0 or (slow == 0.0 and steeper > 0.0):
        a = e * c[S_PER_J]
        b = d * c[S_PER_J]
    count = 1
    if most > 1:
        count = run_length(a, b, next_event(x, n, f, q, w) - x[CLOCK_S], most)
        if n[AHEAD] != 0:
            count = min(count, seen_after(x, n, f, a, b, most))
    taken_s = series(a, b, count)
    static_w = c[STATIC_W]
    share(x, n, (static_w * taken_s + count * (base_j - decoding * c[OWN_J])) / decoding)
    e += static_w * a
    d += static_w * b
    count_energy(x, 0.0, series(e, d, count), 0.0, taken_s)
    last = count - 1
    keep_last(x, a + b * last, 0.0, e + d * last, 0.0)
    fill_bins(x, n, a, b, count, 0.0, e, d)
    count_gaps(c, x, n, a, b, count, decoding)
    log_run(n, runs, x[CLOCK_S], a, b, count)
    if count > 1:  # those of the first iteration are taken
        take_blocks(n, g, blocks_of_run(n, count, decoding) - n[n[PHASE_AT] + n[PHASE]])
    count_time(x, n, decoding, taken_s, count)
    grow(c, x, n, f, q, w, g, count)


def next_change(n: IntArray, decoding: int) -> int:
    """Iterations until a sequence ends, outgrows its window, or blocks run out."""
    most = (n[n[ENDS_AT]] >> KEY_BITS) - n[ITERATIONS] + 1
    if n[CROSSINGS] > 0:
        most = min(most, (n[n[CROSSINGS_AT]] >> KEY_BITS) - n[ITERATIONS])
    if most > 1 and n[FREE] < decoding * ((most >> n[BLOCK_BITS]) + 1):
        most = min(most, longest_run(n, decoding))
    return int(most)


def next_event(x: FloatArray, n: IntArray, f: FloatArray, q: IntArray, w: IntArray) -> float:
    """When something else than decoding may come: the end, an arrival, a place in the queue."""
    event = min(x[UNTIL_S], x[PAUSE_S])
    if n[DECODING] >= n[PLACES]:
        return event
    if n[AHEAD] == 0 and arrival_matters(n):
        event = min(event, f[n[NEXT] * F + ARRIVAL_S])
    if n[WAITING] > 0:
        i = first_waiting(n, q, w)
        if q[i * Q + PRODUCED] == 0:
            event = min(event, f[i * F + DEADLINE_S])
    return event


def arrival_matters(n: IntArray) -> bool:
    """Whether the next arrival could be admitted at once."""
    return bool(n[NEXT] < n[TOTAL] and (n[WAITING] == 0 or n[BY_PRIORITY] != 0))


def seen_after(x: FloatArray, n: IntArray, f: FloatArray, a: float, b: float, most: int) -> int:
    """Iterations until an engine that schedules ahead sees the next arrival, at most `most`.

    One that came while the last iteration was under way is seen after this one.
    """
    if n[DECODING] >= n[PLACES] or not arrival_matters(n):
        return most
    ahead_s = f[n[NEXT] * F + ARRIVAL_S] - x[CLOCK_S]
    if ahead_s <= 0.0:
        return 1
    return int(min(run_length(a, b, ahead_s, most) + 1, most))


def grow(
    c: FloatArray,
    x: FloatArray,
    n: IntArray,
    f: FloatArray,
    q: IntArray,
    w: IntArray,
    g: IntArray,
    count: int,
) -> None:
    """Contexts have grown by `count` tokens; sequences that are complete leave."""
    n[CONTEXT_TOK] += count * n[DECODING]
    n[WINDOW_CONTEXT_TOK] += count * n[GROWING]
    n[PHASE] = (n[PHASE] - count) & (n[BLOCK_TOK] - 1)
    iteration = n[ITERATIONS]
    while n[CROSSINGS] > 0 and n[n[CROSSINGS_AT]] >> KEY_BITS <= iteration:
        if crosses_here(n, q, w, n[n[CROSSINGS_AT]]):
            n[GROWING] -= 1
        heap_pop(n, n[CROSSINGS_AT], n[CROSSINGS])
        n[CROSSINGS] -= 1
    while n[ENDS] > 0:
        key = n[n[ENDS_AT]]
        true = ends_here(q, w, key)
        if true and key >> KEY_BITS >= iteration:
            break
        heap_pop(n, n[ENDS_AT], n[ENDS])
        n[ENDS] -= 1
        if true:
            i = key & KEY_MASK
            held_tok = leave_batch(c, x, n, f, q, w, i)
            finish(x, n, f, q, g, i, held_tok)
