"""Who waits, who runs, in which order: arrivals, admission order, victims, leaving."""

from __future__ import annotations

from tree6g.compute.serving.account import series
from tree6g.compute.serving.blocks import give_back
from tree6g.compute.serving.heap import heap_pop, heap_push
from tree6g.compute.serving.layout import (
    AHEAD,
    ANSWERED,
    ANSWERED_TOK,
    ARRIVAL_S,
    BEGAN_S,
    BLOCK_TOK,
    BLOCKS,
    BY_PRIORITY,
    CLOCK_S,
    CONTEXT_J,
    CONTEXT_TOK,
    CROSSINGS,
    CROSSINGS_AT,
    DECODES,
    DECODING,
    DONE,
    ENDS,
    ENDS_AT,
    EPOCH,
    EPOCH_J,
    FINISH_S,
    FROM_EPOCH,
    FROM_J,
    GAVE_UP,
    GROWING,
    HEAD,
    ITERATIONS,
    KEY_BITS,
    KEY_MASK,
    LAST_PRIORITY,
    NEXT,
    NOBODY,
    ORDER,
    ORDER_AT,
    OUTPUT_TOK,
    OWN_J,
    PARTIAL,
    PHASE_AT,
    PREEMPTED,
    PREEMPTIONS,
    PRIORITY,
    PRODUCED,
    PROMPT_TOK,
    QUEUE_AT,
    QUEUED,
    REFUSED,
    REQUEST_DECODE_J,
    RETURNED,
    RETURNED_AT,
    ROOM,
    RUNS_PROMPT,
    SERVED,
    SHARE_J,
    STATUS,
    TOTAL,
    WAITING,
    WAITING_TIME_S,
    WAITING_TOK,
    WAITS,
    WINDOW_CONTEXT_TOK,
    WINDOW_J,
    WINDOW_TOK,
    F,
    Q,
)
from tree6g.compute.serving.requests import FloatArray, IntArray


def arrive(x: FloatArray, n: IntArray, f: FloatArray, q: IntArray, w: IntArray) -> None:
    """Requests that have come by now join the queue; those that can never fit are refused.

    An engine that schedules ahead has fixed this iteration when the last one began.
    """
    clock = x[CLOCK_S]
    seen = clock
    if n[AHEAD] != 0 and (n[DECODING] > 0 or n[PARTIAL] != NOBODY):
        seen = x[BEGAN_S]
    while n[NEXT] < n[TOTAL] and f[n[NEXT] * F + ARRIVAL_S] <= seen:
        i = n[NEXT]
        n[NEXT] += 1
        at = i * Q
        whole_tok = q[at + PROMPT_TOK] + q[at + OUTPUT_TOK] - 1
        if whole_tok > n[BLOCKS] * n[BLOCK_TOK]:
            q[at + STATUS] = REFUSED
            f[i * F + FINISH_S] = f[i * F + ARRIVAL_S]
            n[WAITING_TOK] -= q[at + PROMPT_TOK]
            continue
        x[WAITING_TIME_S] += clock - f[i * F + ARRIVAL_S]
        n[WAITING] += 1
        if n[BY_PRIORITY] != 0:
            heap_push(w, n[QUEUE_AT], n[QUEUED], (q[at + PRIORITY] << KEY_BITS) | i)
            n[QUEUED] += 1


def first_waiting(n: IntArray, q: IntArray, w: IntArray) -> int:
    """Who is next in the queue, `NOBODY` if it is empty."""
    if n[WAITING] == 0:
        return NOBODY
    if n[BY_PRIORITY] != 0:
        return int(w[n[QUEUE_AT]] & KEY_MASK)
    if n[RETURNED] > 0:
        return int(n[n[RETURNED_AT] + n[RETURNED] - 1])
    while q[n[HEAD] * Q + STATUS] == REFUSED:
        n[HEAD] += 1
    return int(n[HEAD])


def leave_queue(n: IntArray, w: IntArray) -> None:
    """Take the first that waits out of the queue."""
    n[WAITING] -= 1
    if n[BY_PRIORITY] != 0:
        heap_pop(w, n[QUEUE_AT], n[QUEUED])
        n[QUEUED] -= 1
    elif n[RETURNED] > 0:
        n[RETURNED] -= 1
    else:
        n[HEAD] += 1


def return_to_queue(n: IntArray, q: IntArray, w: IntArray, i: int) -> None:
    """A preempted request waits again: before all others, or by its priority."""
    n[WAITING] += 1
    if n[BY_PRIORITY] != 0:
        heap_push(w, n[QUEUE_AT], n[QUEUED], (q[i * Q + PRIORITY] << KEY_BITS) | i)
        n[QUEUED] += 1
    else:
        n[n[RETURNED_AT] + n[RETURNED]] = i
        n[RETURNED] += 1


def lose_patient(n: IntArray, q: IntArray, i: int) -> None:
    """A request that has left the queue or the batch gave up."""
    q[i * Q + STATUS] = GAVE_UP
    n[WAITING_TOK] -= q[i * Q + PROMPT_TOK]


def enter_order(n: IntArray, q: IntArray, i: int) -> None:
    """Note an admission, so that the last or least important can be found."""
    if n[ORDER] == n[ROOM]:
        tidy_order(n, q)
    rank = 0 if n[BY_PRIORITY] == 0 else LAST_PRIORITY - q[i * Q + PRIORITY]
    key = (rank << KEY_BITS) | (KEY_MASK - i)
    if n[BY_PRIORITY] != 0:
        heap_push(n, n[ORDER_AT], n[ORDER], key)
    else:
        n[n[ORDER_AT] + n[ORDER]] = key
    n[ORDER] += 1


def tidy_order(n: IntArray, q: IntArray) -> None:
    """Drop those who have left. A heap keeps its order: what is left is pushed anew."""
    count = n[ORDER]
    n[ORDER] = 0
    for k in range(count):
        key = n[n[ORDER_AT] + k]
        status = q[(KEY_MASK - (key & KEY_MASK)) * Q + STATUS]
        if status not in (DECODES, RUNS_PROMPT):
            continue
        if n[BY_PRIORITY] != 0:
            heap_push(n, n[ORDER_AT], n[ORDER], key)
        else:
            n[n[ORDER_AT] + n[ORDER]] = key
        n[ORDER] += 1


def take_victim(n: IntArray, q: IntArray) -> int:
    """The last admitted that still runs, or the least important and latest."""
    while True:
        if n[BY_PRIORITY] != 0:
            key = n[n[ORDER_AT]]
            heap_pop(n, n[ORDER_AT], n[ORDER])
        else:
            key = n[n[ORDER_AT] + n[ORDER] - 1]
        n[ORDER] -= 1
        i = KEY_MASK - (key & KEY_MASK)
        status = q[i * Q + STATUS]
        if status in (DECODES, RUNS_PROMPT):
            return int(i)


def preempt(
    c: FloatArray,
    x: FloatArray,
    n: IntArray,
    f: FloatArray,
    q: IntArray,
    w: IntArray,
    g: IntArray,
) -> None:
    """Take all blocks of one sequence; it is computed again later."""
    i = take_victim(n, q)
    if q[i * Q + STATUS] == RUNS_PROMPT:
        n[PARTIAL] = NOBODY
        held_tok = q[i * Q + DONE]
    else:
        held_tok = leave_batch(c, x, n, f, q, w, i)
        f[i * F + FINISH_S] = x[CLOCK_S]  # when its last token was there
    q[i * Q + STATUS] = WAITS
    q[i * Q + PREEMPTED] += 1
    n[PREEMPTIONS] += 1
    give_back(n, q, g, i, held_tok)
    return_to_queue(n, q, w, i)


def join_batch(x: FloatArray, n: IntArray, f: FloatArray, q: IntArray, w: IntArray, i: int) -> None:
    """Request i, whose prompt is done, decodes from the next iteration on."""
    at = i * Q
    begin = n[ITERATIONS]
    context = q[at + PROMPT_TOK] + q[at + PRODUCED]
    q[at + STATUS] = DECODES
    w[i] = begin
    f[i * F + FROM_J] = x[SHARE_J]
    q[at + FROM_EPOCH] = n[EPOCH]
    last = begin + q[at + OUTPUT_TOK] - q[at + PRODUCED] - 1
    if n[ENDS] == n[ROOM]:
        tidy_ends(n, q, w)
    heap_push(n, n[ENDS_AT], n[ENDS], (last << KEY_BITS) | i)
    n[ENDS] += 1
    n[DECODING] += 1
    n[CONTEXT_TOK] += context
    n[n[PHASE_AT] + ((context - begin - 1) & (n[BLOCK_TOK] - 1))] += 1
    window = n[WINDOW_TOK]
    if window > 0:
        n[WINDOW_CONTEXT_TOK] += min(context, window)
        if context < window:
            n[GROWING] += 1
            if n[CROSSINGS] == n[ROOM]:
                tidy_crossings(n, q, w)
            heap_push(
                n, n[CROSSINGS_AT], n[CROSSINGS], ((begin + window - context) << KEY_BITS) | i
            )
            n[CROSSINGS] += 1


def ends_here(q: IntArray, w: IntArray, key: int) -> bool:
    """Whether an entry of the heap of ends is still true."""
    i = key & KEY_MASK
    at = i * Q
    left = q[at + OUTPUT_TOK] - q[at + PRODUCED]
    return bool(q[at + STATUS] == DECODES and w[i] + left - 1 == key >> KEY_BITS)


def crosses_here(n: IntArray, q: IntArray, w: IntArray, key: int) -> bool:
    """Whether an entry of the heap of window crossings is still true."""
    i = key & KEY_MASK
    at = i * Q
    left = n[WINDOW_TOK] - q[at + PROMPT_TOK] - q[at + PRODUCED]
    return bool(q[at + STATUS] == DECODES and w[i] + left == key >> KEY_BITS)


def tidy_ends(n: IntArray, q: IntArray, w: IntArray) -> None:
    """Drop ends of sequences that were preempted."""
    count = n[ENDS]
    n[ENDS] = 0
    for k in range(count):
        key = n[n[ENDS_AT] + k]
        if ends_here(q, w, key):
            heap_push(n, n[ENDS_AT], n[ENDS], key)
            n[ENDS] += 1


def tidy_crossings(n: IntArray, q: IntArray, w: IntArray) -> None:
    """Drop crossings of sequences that have left."""
    count = n[CROSSINGS]
    n[CROSSINGS] = 0
    for k in range(count):
        key = n[n[CROSSINGS_AT] + k]
        if crosses_here(n, q, w, key):
            heap_push(n, n[CROSSINGS_AT], n[CROSSINGS], key)
            n[CROSSINGS] += 1


def leave_batch(
    c: FloatArray, x: FloatArray, n: IntArray, f: FloatArray, q: IntArray, w: IntArray, i: int
) -> int:
    """Settle the joules of a sequence that decodes no more; returns tokens it has in the cache."""
    at = i * Q
    begin = w[i]
    steps = n[ITERATIONS] - begin
    first = q[at + PROMPT_TOK] + q[at + PRODUCED]
    own_j = steps * c[OWN_J] + c[CONTEXT_J] * series(first, 1, steps)
    n[DECODING] -= 1
    n[CONTEXT_TOK] -= first + steps
    n[n[PHASE_AT] + ((first - begin - 1) & (n[BLOCK_TOK] - 1))] -= 1
    window = n[WINDOW_TOK]
    if window > 0:
        rising = min(max(window - first, 0), steps)
        own_j += c[WINDOW_J] * (series(first, 1, rising) + (steps - rising) * window)
        n[WINDOW_CONTEXT_TOK] -= min(first + steps, window)
        if first + steps < window:
            n[GROWING] -= 1
    shared_j = x[SHARE_J] - f[i * F + FROM_J] + EPOCH_J * (n[EPOCH] - q[at + FROM_EPOCH])
    f[i * F + REQUEST_DECODE_J] += own_j + shared_j
    q[at + PRODUCED] += steps
    return int(first + steps - 1)


def finish(
    x: FloatArray, n: IntArray, f: FloatArray, q: IntArray, g: IntArray, i: int, held_tok: int
) -> None:
    """An answer is complete."""
    q[i * Q + STATUS] = SERVED
    f[i * F + FINISH_S] = x[CLOCK_S]
    n[ANSWERED] += 1
    n[ANSWERED_TOK] += q[i * Q + OUTPUT_TOK]
    give_back(n, q, g, i, held_tok)
