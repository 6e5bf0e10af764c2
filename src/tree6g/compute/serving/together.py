"""Many servers in one call of compiled code: jobs in, iterations, tokens and losses out.

The arrays of a server are found by their addresses, a row of `table` each. Plain Python does the
same server by server (`batching`), with the functions of `kernel` and `streams` that are called
here. Flat arrays of all servers hold those of one after those of the one before.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, Final

from tree6g.compute.serving import compiler, state
from tree6g.compute.serving.account import sequences_now
from tree6g.compute.serving.kernel import run_until
from tree6g.compute.serving.layout import (
    CLOCK_S,
    DECODE_J,
    DECODE_S,
    FINISH_S,
    ITERATIONS,
    LAST_DECODE_J,
    LAST_PREFILL_FRAC,
    LAST_PREFILL_J,
    LAST_S,
    NEXT,
    PAUSE_S,
    PREFILL_J,
    PREFILL_S,
    RUNS,
    SEGMENTS,
    SERVED,
    STATUS,
    TOTAL,
    UNTIL_S,
    WAITING,
    F,
    Q,
)
from tree6g.compute.serving.requests import FloatArray, IntArray
from tree6g.compute.serving.result import GAVE_UP, REFUSED
from tree6g.compute.serving.streams import enter, fill_tokens, find_ends, find_spans

# Columns of the table of addresses: the arrays of `layout`, then the job of each request, its kind
# and chunk, and when its last token left.
(
    C_AT, X_AT, N_AT, F_AT, Q_AT, W_AT, G_AT, RUNS_AT, SEGMENTS_AT, JOB_AT, ABOUT_AT, LAST_AT,
    ARRAYS,
) = range(13)  # fmt: skip
# What is to be done with a server, or was.
RUN, FULL, RAN, RESTED = range(4)
TINY: Final = 2.2250738585072014e-308  # the smallest normal number: a patience is above 0


def reals_at(address: int) -> Any:
    """Reals that stand at an address; compiled code has its own."""
    raise NotImplementedError


def integers_at(address: int) -> Any:
    """Integers of eight bytes."""
    raise NotImplementedError


def small_at(address: int) -> Any:
    """Integers of four bytes."""
    raise NotImplementedError


def in_order(
    whole: IntArray, real: FloatArray, order: IntArray, spare: IntArray, low: int, high: int
) -> None:
    """Sort the jobs of a server by arrival, then by number: runs of them are merged."""
    width = 1
    while width < high - low:
        for first in range(low, high - width, 2 * width):
            middle, last = first + width, min(first + 2 * width, high)
            if not before(whole, real, order[middle], order[middle - 1]):
                continue
            i, j = first, middle
            for at in range(first, last):
                if j >= last or (i < middle and not before(whole, real, order[j], order[i])):
                    spare[at] = order[i]
                    i += 1
                else:
                    spare[at] = order[j]
                    j += 1
            for at in range(first, last):
                order[at] = spare[at]
        width *= 2


def before(whole: IntArray, real: FloatArray, a: int, b: int) -> bool:
    """Whether a job comes before another one."""
    if real[0, a] == real[0, b]:
        return bool(whole[0, a] < whole[0, b])
    return bool(real[0, a] < real[0, b])


def enter_all(
    table: IntArray,
    first: IntArray,
    whole: IntArray,
    real: FloatArray,
    until_s: float,
    told_s: FloatArray,
    order: IntArray,
    spare: IntArray,
    entered: IntArray,
) -> None:
    """Hand over the jobs of all servers that arrive before `until_s`; there is room.

    Args:
        table: Addresses. [server, array]
        first: First job of each server, and the end of the last one. [server + 1]
        whole: As of `desk.Jobs`. [5, job]
        real: As of `desk.Jobs`. [2, job]
        until_s: End of the step.
        told_s: Until when each server was asked to work before.
        order: Jobs, server by server; sorted.
        spare: Room for as many.
        entered: Filled: how many were handed over, and tokens of their prompts. [server, 2]
    """
    for k in range(len(told_s)):
        low, high = first[k], first[k + 1]
        in_order(whole, real, order, spare, low, high)
        n, job, about = (
            integers_at(table[k, N_AT]), integers_at(table[k, JOB_AT]),
            integers_at(table[k, ABOUT_AT]),
        )  # fmt: skip
        f, q = reals_at(table[k, F_AT]), small_at(table[k, Q_AT])
        entered[k, 0] = 0
        entered[k, 1] = 0
        while low < high and real[0, order[low]] < until_s:
            row, i = order[low], n[TOTAL]
            # A time that rounding has put before the last step belongs to this one.
            arrival_s = max(real[0, row], told_s[k])
            enter(n, f, q, arrival_s, max(real[1, row] - arrival_s, TINY),
                  whole[1, row], whole[2, row])  # fmt: skip
            job[i] = whole[0, row]
            about[2 * i] = whole[3, row]
            about[2 * i + 1] = whole[4, row]
            entered[k, 0] += 1
            entered[k, 1] += whole[1, row]
            low += 1


def run_all(table: IntArray, until_s: float, told_s: FloatArray, what: IntArray) -> bool:
    """Let all servers work that are to run; false if the log of one is full, which is to run again.

    Args:
        table: Addresses. [server, array]
        until_s: End of the step.
        told_s: Until when each was asked to work before.
        what: What is to be done, then what was. [server]
    """
    whole = True
    for k in range(len(told_s)):
        if what[k] in (RAN, RESTED):
            continue
        n, x = integers_at(table[k, N_AT]), reals_at(table[k, X_AT])
        waiting = n[WAITING] + n[TOTAL] - n[NEXT]
        if what[k] == RUN and not (sequences_now(n) or waiting) and x[CLOCK_S] <= told_s[k]:
            what[k] = RESTED
            continue
        x[UNTIL_S], x[PAUSE_S] = until_s, math.inf
        ran = run_until(
            reals_at(table[k, C_AT]), x, n, reals_at(table[k, F_AT]), small_at(table[k, Q_AT]),
            integers_at(table[k, W_AT]), integers_at(table[k, G_AT]), reals_at(table[k, RUNS_AT]),
            integers_at(table[k, SEGMENTS_AT]),
        )  # fmt: skip
        what[k] = RAN if ran else FULL
        whole = whole and ran
    return whole


def log_sizes(table: IntArray, sizes: IntArray) -> None:
    """Streams that each server has begun, iterations that it has done, and iterations in its log.

    Args:
        table: Addresses. [server, array]
        sizes: Filled. [server, 3]
    """
    for k in range(len(sizes)):
        n, runs = integers_at(table[k, N_AT]), reals_at(table[k, RUNS_AT])
        sizes[k, 0] = n[SEGMENTS]
        sizes[k, 1] = n[ITERATIONS]
        sizes[k, 2] = 0
        for r in range(n[RUNS]):
            sizes[k, 2] += int(runs[4 * r + 3])


def span_all(
    table: IntArray,
    since: IntArray,
    first_old: IntArray,
    old: IntArray,
    first: IntArray,
    streams: IntArray,
    spans: IntArray,
) -> int:
    """Streams under way and those that have begun, with their spans; returns the tokens in them.

    Args:
        table: Addresses. [server, array]
        since: Iterations of each server that have been read.
        first_old: First stream under way of each server, and the end. [server + 1]
        old: Streams under way.
        first: First stream of each server, and the end. [server + 1]
        streams: Filled: streams.
        spans: Filled: their spans.
    """
    total = 0
    for k in range(len(since)):
        n, segments = integers_at(table[k, N_AT]), integers_at(table[k, SEGMENTS_AT])
        at = 3 * first[k]
        for j in range(3 * first_old[k], 3 * first_old[k + 1]):
            streams[at] = old[j]
            at += 1
        for j in range(3 * n[SEGMENTS]):
            streams[at] = segments[j]
            at += 1
        total += find_spans(
            n, small_at(table[k, Q_AT]), integers_at(table[k, W_AT]), streams, spans, first[k],
            first[k + 1], since[k],
        )  # fmt: skip
    return total


def tell_all(  # noqa: PLR0913, PLR0917 - compiled
    table: IntArray,
    since: IntArray,
    first: IntArray,
    streams: IntArray,
    spans: IntArray,
    ends_s: FloatArray,
    sampled: FloatArray,
    kinds: int,
    request: IntArray,
    number: IntArray,
    time_s: FloatArray,
    begun: IntArray,
    counts: IntArray,
) -> None:
    """Tokens of all spans; the log is empty after it.

    Args:
        table: Addresses. [server, array]
        since: Iterations of each server that have been read.
        first: First stream of each server, and the end. [server + 1]
        streams: Streams; those that go on are moved to the front.
        spans: Their spans.
        ends_s: Room for the ends of the iterations of any one server.
        sampled: Sums of each server and kind, 0. [2 server kind]
        kinds: Kinds of jobs.
        request: Filled: job of each token that is told.
        number: Filled: its number.
        time_s: Filled: when it left.
        begun: Filled: jobs whose first token is among them.
        counts: Filled: of each server, tokens that are told, streams that go on, jobs begun.
    """
    told, kept, prompts = 0, 0, 0
    for k in range(len(since)):
        n, job = integers_at(table[k, N_AT]), integers_at(table[k, JOB_AT])
        find_ends(reals_at(table[k, RUNS_AT]), n[RUNS], ends_s)
        start = told
        told = fill_tokens(
            reals_at(table[k, F_AT]), small_at(table[k, Q_AT]), streams, spans, first[k],
            first[k + 1], since[k], integers_at(table[k, ABOUT_AT]), reals_at(table[k, LAST_AT]),
            ends_s, sampled, kinds * k, request, number, time_s, told,
        )  # fmt: skip
        for t in range(start, told):
            request[t] = job[request[t]]
        counts[k, 0], counts[k, 1], counts[k, 2] = told - start, kept, prompts
        for s in range(first[k + 1] - n[SEGMENTS], first[k + 1]):
            if streams[3 * s + 1] == 1:
                begun[prompts] = job[streams[3 * s]]
                prompts += 1
        for s in range(first[k], first[k + 1]):
            if spans[3 * s + 2] == 0:
                for part in range(3):
                    streams[3 * kept + part] = streams[3 * s + part]
                kept += 1
        counts[k, 1], counts[k, 2] = kept - counts[k, 1], prompts - counts[k, 2]
        n[RUNS] = 0
        n[SEGMENTS] = 0


def close_all(  # noqa: PLR0913, PLR0917 - compiled
    table: IntArray,
    until_s: float,
    first: IntArray,
    there: IntArray,
    entered: IntArray,
    stays: IntArray,
    left: IntArray,
    left_s: FloatArray,
    counts: IntArray,
    usage: FloatArray,
) -> None:
    """Who is there yet, who left without an answer, and the use of each server from the start.

    Args:
        table: Addresses. [server, array]
        until_s: End of the step.
        first: First request of each server that was there, and the end. [server + 1]
        there: Requests that were there.
        entered: Requests that came. [server, 2]
        stays: Filled: requests that are there yet.
        left: Filled: jobs that left without an answer.
        left_s: Filled: when.
        counts: Filled: of each server, requests that are there yet, and that left so. [server, 2]
        usage: Filled: see `ServerState.usage`. [server, 4]
    """
    stay, gone = 0, 0
    for k in range(len(entered)):
        x, n, job = (
            reals_at(table[k, X_AT]), integers_at(table[k, N_AT]), integers_at(table[k, JOB_AT])
        )  # fmt: skip
        f, q = reals_at(table[k, F_AT]), small_at(table[k, Q_AT])
        counts[k, 0], counts[k, 1] = stay, gone
        old, new = first[k + 1] - first[k], n[TOTAL] - entered[k, 0]
        for j in range(old + entered[k, 0]):
            i = there[first[k] + j] if j < old else new + j - old
            status = q[i * Q + STATUS]
            if status in (REFUSED, GAVE_UP):
                left[gone] = job[i]
                left_s[gone] = f[i * F + FINISH_S]
                gone += 1
            elif status != SERVED:
                stays[stay] = i
                stay += 1
        counts[k, 0], counts[k, 1] = stay - counts[k, 0], gone - counts[k, 1]
        over = max(x[CLOCK_S] - until_s, 0.0) / x[LAST_S] if x[LAST_S] > 0.0 else 0.0
        prompts_s = x[LAST_S] * x[LAST_PREFILL_FRAC]
        usage[k, 0] = x[PREFILL_J] - over * x[LAST_PREFILL_J]
        usage[k, 1] = x[DECODE_J] - over * x[LAST_DECODE_J]
        usage[k, 2] = x[PREFILL_S] - over * prompts_s
        usage[k, 3] = x[DECODE_S] - over * (x[LAST_S] - prompts_s)


@functools.cache
def compiled(loop: Callable[..., Any]) -> Callable[..., Any]:
    """One of the loops over all servers, compiled."""
    parts: dict[Callable[..., Any], list[Callable[..., Any]]] = {
        enter_all: [before, in_order, enter],
        run_all: [*state.kernel_functions()[:-1], sequences_now],
        log_sizes: [],
        span_all: [find_spans],
        tell_all: [find_ends, fill_tokens],
        close_all: [],
    }
    return compiler.compiled([*parts[loop], loop])
