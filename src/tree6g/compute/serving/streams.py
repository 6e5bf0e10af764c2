"""The loops that turn the log of a server into tokens: plain Python on lists, compiled on arrays.

A stream is what a request is given without a break: its request, the number of its first token and
the iteration of that one. A request that was preempted has one for each stretch. A run of the log
is (start, a, b, count): iteration j of it ends at start + (j + 1) a + b j (j + 1) / 2. The span of
a stream is the first number that has not been read, one past the last, and whether it has ended.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from tree6g.compute.serving import compiler
from tree6g.compute.serving.layout import (
    DECODES,
    ITERATIONS,
    PREEMPTED,
    PRODUCED,
    SCHEDULED_S,
    STATUS,
    F,
    Q,
)
from tree6g.compute.serving.requests import FloatArray, IntArray


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
    runs: FloatArray,
    streams: IntArray,
    spans: IntArray,
    since: int,
    last_s: FloatArray,
    ends_s: FloatArray,
    request: IntArray,
    number: IntArray,
    time_s: FloatArray,
    gap_s: FloatArray,
) -> None:
    """The tokens of all spans, stream by stream.

    Args:
        f: Reals of the requests.
        runs: Four reals each.
        streams: Three integers each.
        spans: Three integers each.
        since: Iterations that have been read.
        last_s: When the last token of each request left, of those read; brought up to date.
        ends_s: Room for the end of every iteration of the runs.
        request: Request of each token. [token]
        number: Its number. [token]
        time_s: When it left. [token]
        gap_s: Time since the one before, for the first since it was scheduled. [token]
    """
    at = 0
    for r in range(len(runs) // 4):
        start_s, a, b = runs[4 * r], runs[4 * r + 1], runs[4 * r + 2]
        for j in range(int(runs[4 * r + 3])):
            ends_s[at] = start_s + ((j + 1) * a + b * (0.5 * (j + 1) * j))
            at += 1
    at = 0
    for k in range(len(streams) // 3):
        i = streams[3 * k]
        offset = streams[3 * k + 2] - streams[3 * k + 1] - since
        before_s = last_s[i]
        for which in range(spans[3 * k], spans[3 * k + 1]):
            now_s = ends_s[offset + which]
            request[at] = i
            number[at] = which
            time_s[at] = now_s
            gap_s[at] = now_s - (f[i * F + SCHEDULED_S] if which == 1 else before_s)
            before_s = now_s
            at += 1
        last_s[i] = before_s


@functools.cache
def compiled_spans() -> Callable[..., Any]:
    """`find_spans`, compiled."""
    return compiler.compiled([find_spans])


@functools.cache
def compiled_tokens() -> Callable[..., Any]:
    """`fill_tokens`, compiled."""
    return compiler.compiled([fill_tokens])
