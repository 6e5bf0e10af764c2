"""The loops that turn the log of a server into tokens: plain Python on lists, compiled on arrays.

A stream is what a request is given without a break: its request, the number of its first token and
the iteration of that one. A request that was preempted has one for each stretch. A run of the log
is (start, a, b, count): iteration j of it ends at start + (j + 1) a + b j (j + 1) / 2. The span of
a stream is the first number that has not been read, one past the last, and whether it has ended.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from tree6g.compute.serving import compiler
from tree6g.compute.serving.layout import (
    ARRIVAL_S,
    CACHED,
    DEADLINE_S,
    DECODES,
    FINISH_S,
    FIRST_S,
    ITERATIONS,
    OUTPUT_TOK,
    PREEMPTED,
    PREFIX_ID,
    PRODUCED,
    PROMPT_TOK,
    SCHEDULED_S,
    STATUS,
    TOTAL,
    WAITING_TOK,
    F,
    Q,
)
from tree6g.compute.serving.requests import NO_PREFIX, FloatArray, IntArray


def find_spans(
    n: IntArray, q: IntArray, w: IntArray, streams: IntArray, spans: IntArray, since: int
) -> int:
    """Fill the spans of all streams; returns the tokens in them.

    Args:
        n: Counters of the server.
        q: Integers of its requests.
        w: Iterations in which they began to decode.
        streams: Three integers each.
        spans: Three integers each.
        since: Iterations that have been read.
    """
    total = 0
    count = len(streams) // 3
    for k in range(count):
        i = streams[3 * k]
        low = streams[3 * k + 1] + max(since - streams[3 * k + 2], 0)
        end = q[i * Q + PRODUCED] + 1
        over = 1
        if q[i * Q + STATUS] == DECODES:
            end += n[ITERATIONS] - w[i]
            over = 0
        if q[i * Q + PREEMPTED] > 0:
            for later in range(k + 1, count):
                if streams[3 * later] == i:
                    end = streams[3 * later + 1]
                    over = 1
                    break
        spans[3 * k] = low
        spans[3 * k + 1] = max(end, low)
        spans[3 * k + 2] = over
        total += max(end, low) - low
    return total


def fill_tokens(  # noqa: PLR0913, PLR0917 - compiled
    f: FloatArray,
    q: IntArray,
    runs: FloatArray,
    streams: IntArray,
    spans: IntArray,
    since: int,
    about: IntArray,
    last_s: FloatArray,
    ends_s: FloatArray,
    sums: FloatArray,
    request: IntArray,
    number: IntArray,
    time_s: FloatArray,
) -> int:
    """The tokens of all spans, stream by stream: all are counted, those that end a chunk are told.

    Returns how many are told.

    Args:
        f: Reals of the requests.
        q: Integers of them.
        runs: Four reals each.
        streams: Three integers each.
        spans: Three integers each.
        since: Iterations that have been read.
        about: Kind of each request, and tokens of its chunks, 0 if they all make one.
        last_s: When the last token of each request left, of those read; brought up to date.
        ends_s: Room for the end of every iteration of the runs.
        sums: Of each kind, tokens, and time since the one before, for a first one since its request
            was scheduled; added to.
        request: Request of each token that is told. [token]
        number: Its number. [token]
        time_s: When it left. [token]
    """
    at = 0
    for r in range(len(runs) // 4):
        start_s, a, b = runs[4 * r], runs[4 * r + 1], runs[4 * r + 2]
        for j in range(int(runs[4 * r + 3])):
            ends_s[at] = start_s + ((j + 1) * a + b * (0.5 * (j + 1) * j))
            at += 1
    told = 0
    for k in range(len(streams) // 3):
        i = streams[3 * k]
        kind, chunk = about[2 * i], about[2 * i + 1]
        last = q[i * Q + OUTPUT_TOK]
        offset = streams[3 * k + 2] - streams[3 * k + 1] - since
        before_s = last_s[i]
        for which in range(spans[3 * k], spans[3 * k + 1]):
            now_s = ends_s[offset + which]
            sums[2 * kind] += 1.0
            sums[2 * kind + 1] += now_s - (f[i * F + SCHEDULED_S] if which == 1 else before_s)
            before_s = now_s
            if which == last or (chunk > 0 and which % chunk == 0):
                request[told] = i
                number[told] = which
                time_s[told] = now_s
                told += 1
        last_s[i] = before_s
    return told


def enter(
    n: IntArray,
    f: FloatArray,
    q: IntArray,
    arrival_s: FloatArray,
    give_up_s: FloatArray,
    prompt_tok: IntArray,
    output_tok: IntArray,
) -> None:
    """Write requests without class and prefix behind those that are there; room has been made."""
    first = n[TOTAL]
    for k in range(len(arrival_s)):
        at = (first + k) * F
        f[at + ARRIVAL_S] = arrival_s[k]
        f[at + DEADLINE_S] = arrival_s[k] + give_up_s[k]
        f[at + SCHEDULED_S] = math.nan
        f[at + FIRST_S] = math.nan
        f[at + FINISH_S] = math.nan
        at = (first + k) * Q
        q[at + PROMPT_TOK] = prompt_tok[k]
        q[at + OUTPUT_TOK] = output_tok[k]
        q[at + PREFIX_ID] = NO_PREFIX
        q[at + CACHED] = -1
        n[WAITING_TOK] += prompt_tok[k]
    n[TOTAL] = first + len(arrival_s)


@functools.cache
def compiled_spans() -> Callable[..., Any]:
    """`find_spans`, compiled."""
    return compiler.compiled([find_spans])


@functools.cache
def compiled_tokens() -> Callable[..., Any]:
    """`fill_tokens`, compiled."""
    return compiler.compiled([fill_tokens])


@functools.cache
def compiled_enter() -> Callable[..., Any]:
    """`enter`, compiled."""
    return compiler.compiled([enter])
