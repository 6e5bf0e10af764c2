"""The loops that turn the log of a server into tokens: plain Python on lists, compiled on arrays.

A stream is what a request is given without a break: its request, the number of its first token and
the iteration of that one. A request that was preempted has one for each stretch. A run of the log
is (start, a, b, count): iteration j of it ends at start + (j + 1) a + b j (j + 1) / 2. The span of
a stream is the first number that has not been read, one past the last, and whether it has ended.
"""

from __future__ import annotations

import math

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
    n: IntArray,
    q: IntArray,
    w: IntArray,
    streams: IntArray,
    spans: IntArray,
    first: int,
    last: int,
    since: int,
) -> int:
    """Fill the spans of some streams; returns the tokens in them.

    Args:
        n: Counters of the server.
        q: Integers of its requests.
        w: Iterations in which they began to decode.
        streams: Three integers each.
        spans: Three integers each.
        first: The first of its streams.
        last: One past the last.
        since: Iterations that have been read.
    """
    total = 0
    for k in range(first, last):
        i = streams[3 * k]
        low = streams[3 * k + 1] + max(since - streams[3 * k + 2], 0)
        end = q[i * Q + PRODUCED] + 1
        over = 1
        if q[i * Q + STATUS] == DECODES:
            end += n[ITERATIONS] - w[i]
            over = 0
        if q[i * Q + PREEMPTED] > 0:
            for later in range(k + 1, last):
                if streams[3 * later] == i:
                    end = streams[3 * later + 1]
                    over = 1
                    break
        spans[3 * k] = low
        spans[3 * k + 1] = max(end, low)
        spans[3 * k + 2] = over
        total += max(end, low) - low
    return int(total)


def find_ends(runs: FloatArray, count: int, ends_s: FloatArray) -> None:
    """The end of every iteration of some runs."""
    at = 0
    for r in range(count):
        start_s, a, b = runs[4 * r], runs[4 * r + 1], runs[4 * r + 2]
        for j in range(int(runs[4 * r + 3])):
            ends_s[at] = start_s + ((j + 1) * a + b * (0.5 * (j + 1) * j))
            at += 1


def fill_tokens(  # noqa: PLR0913, PLR0917 - compiled
    f: FloatArray,
    q: IntArray,
    streams: IntArray,
    spans: IntArray,
    first: int,
    last: int,
    since: int,
    about: IntArray,
    last_s: FloatArray,
    ends_s: FloatArray,
    sums: FloatArray,
    kinds_at: int,
    request: IntArray,
    number: IntArray,
    time_s: FloatArray,
    told: int,
) -> int:
    """The tokens of all spans, stream by stream: all are counted, those that end a chunk are told.

    Returns how many are told, with those before.

    Args:
        f: Reals of the requests.
        q: Integers of them.
        streams: Three integers each.
        spans: Three integers each.
        first: The first of the server's streams.
        last: One past the last.
        since: Iterations that have been read.
        about: Kind of each request, and tokens of its chunks, 0 if they all make one.
        last_s: When the last token of each request left, of those read; brought up to date.
        ends_s: The end of every iteration of the runs.
        sums: Of each kind, tokens, and time since the one before, for a first one since its request
            was scheduled; added to.
        kinds_at: Where the server's kinds begin there.
        request: Request of each token that is told. [token]
        number: Its number. [token]
        time_s: When it left. [token]
        told: Tokens that are told there already.
    """
    for k in range(first, last):
        i = streams[3 * k]
        at, chunk = 2 * (kinds_at + about[2 * i]), about[2 * i + 1]
        whole = q[i * Q + OUTPUT_TOK]
        offset = streams[3 * k + 2] - streams[3 * k + 1] - since
        before_s = last_s[i]
        for which in range(spans[3 * k], spans[3 * k + 1]):
            now_s = ends_s[offset + which]
            sums[at] += 1.0
            sums[at + 1] += now_s - (f[i * F + SCHEDULED_S] if which == 1 else before_s)
            before_s = now_s
            if which == whole or (chunk > 0 and which % chunk == 0):
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
    arrival_s: float,
    give_up_s: float,
    prompt_tok: int,
    output_tok: int,
) -> None:
    """Write a request without class and prefix behind those that are there; there is room."""
    at = n[TOTAL] * F
    f[at + ARRIVAL_S] = arrival_s
    f[at + DEADLINE_S] = arrival_s + give_up_s
    f[at + SCHEDULED_S] = math.nan
    f[at + FIRST_S] = math.nan
    f[at + FINISH_S] = math.nan
    at = n[TOTAL] * Q
    q[at + PROMPT_TOK] = prompt_tok
    q[at + OUTPUT_TOK] = output_tok
    q[at + PREFIX_ID] = NO_PREFIX
    q[at + CACHED] = -1
    n[WAITING_TOK] += prompt_tok
    n[TOTAL] += 1
