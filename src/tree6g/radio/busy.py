"""For how long terminals have something to send: the union of the times of their messages."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from tree6g.radio.air_step import is_compiled
from tree6g.radio.pathloss import FloatArray

IntArray = npt.NDArray[np.int64]


def busy_s(
    key: IntArray, ready_s: FloatArray, end_s: FloatArray, until_s: FloatArray
) -> FloatArray:
    """Time that each message adds to that in which its terminal has something to send. [message].

    Per terminal the sum is the length of the union of [ready, end), without what lies before
    `until_s`, which is moved on to the latest end.

    Args:
        key: Terminal of each message. [message]
        ready_s: When it was ready. [message]
        end_s: When it was sent. [message]
        until_s: End of each terminal's last message so far; changed. [terminal]
    """
    if not is_compiled():
        added_s = union_s(key, ready_s, end_s, until_s)
        np.maximum.at(until_s, key, end_s)
        return added_s
    added_s, order = np.empty(len(key)), np.empty(len(key), dtype=np.int64)
    place = np.zeros(len(until_s) + 1, dtype=np.int64)
    _compiled()(key, ready_s, end_s, until_s, place, order, added_s)
    return added_s


def union_s(
    key: IntArray, ready_s: FloatArray, end_s: FloatArray, until_s: FloatArray
) -> FloatArray:
    """`busy_s` without a compiler, which leaves `until_s` as it is. [message]."""
    order = np.lexsort((ready_s, key))
    of, end = key[order], end_s[order]
    first = np.append(True, of[1:] != of[:-1])
    # The latest end so far, per terminal: ranks of ends are whole numbers, so that adding a
    # multiple of the terminal's number loses nothing.
    rank = np.empty(len(end), dtype=np.int64)
    by_end = np.argsort(end, kind="stable")
    rank[by_end] = np.arange(len(end))
    group = np.cumsum(first) * len(end)
    latest = end[by_end[np.maximum.accumulate(rank + group) - group]]
    before = np.where(first, -np.inf, np.append(-np.inf, latest[:-1]))
    start = np.maximum(np.maximum(ready_s[order], before), until_s[of])
    added_s = np.empty(len(end))
    added_s[order] = np.maximum(end - start, 0.0)
    return added_s


def add_busy(
    key: Any, ready_s: Any, end_s: Any, until_s: Any, place: Any, order: Any, added_s: Any
) -> None:
    """`busy_s` as a loop: messages by terminal, each terminal's in order of readiness."""
    for i in range(len(key)):
        place[key[i] + 1] += 1
    for n in range(1, len(place)):
        place[n] += place[n - 1]
    for i in range(len(key)):
        order[place[key[i]]] = i
        place[key[i]] += 1
    for k in range(len(order)):
        i, at = order[k], k
        while at > 0 and key[order[at - 1]] == key[i] and ready_s[order[at - 1]] > ready_s[i]:
            order[at] = order[at - 1]
            at -= 1
        order[at] = i
    for k in range(len(order)):
        i = order[k]
        start_s = max(ready_s[i], until_s[key[i]])
        added_s[i] = max(end_s[i] - start_s, 0.0)
        until_s[key[i]] = max(until_s[key[i]], end_s[i])


@functools.cache
def _compiled() -> Callable[..., Any]:
    from tree6g.radio.link.compiler import compiled_together

    return compiled_together([add_busy])
