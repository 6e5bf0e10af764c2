"""Clock offsets between two series of counters, found station by station and pooled in blocks.

A meter that stamps the start of an hour and a counter that stamps its end disagree by one hour.
Each station's own fit says at which offset its energy follows its load best; since clocks are set
for whole blocks of stations, stations next to each other in the order of their names share one
offset unless many agree that it changes. A single clock that is clearly off is an exception.
"""

from __future__ import annotations

import re
from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# In units of log-likelihood. One station counts for at most CERTAINTY, so a block of its own
# takes at least four stations in a row that would otherwise all be wrong.
CERTAINTY: Final = 5.0
CHANGE: Final = 8.0
CLEARLY: Final = 2.0  # times the smallest error at which a station leaves its block's offset


def evidence(misfit: FloatArray, rows: IntArray) -> FloatArray:
    r"""How much worse each offset is than a station's best, `[station, offset]`, at most 0.

    $-\tfrac{n}{8} \ln(e / e_{min})$ for the mean absolute error $e$ of $n$ rows: consecutive
    hours are alike, so that eight of them count as one. NaN misfits (too few rows) say nothing.

    Args:
        misfit: Mean absolute relative error `[station, offset]`, NaN where it is not known.
        rows: Rows behind each station's errors `[station]`.
    """
    known = np.isfinite(misfit).all(axis=1, keepdims=True)
    usable = np.where(known, np.maximum(misfit, 1e-4), 1.0)
    worse = np.log(usable / usable.min(axis=1, keepdims=True))
    return np.maximum(-worse * rows[:, None] / 8.0, -CERTAINTY)


def blocks(score: FloatArray) -> IntArray:
    """The offset of each station, as an index `[station]`, with the fewest changes worth it.

    The sequence with the largest sum of scores less `CHANGE` for every change (Viterbi 1967).

    Args:
        score: Evidence `[station, offset]`, stations in the order of their names.

    >>> blocks(np.array([[0.0, -5.0]] * 6 + [[-5.0, 0.0]] + [[0.0, -5.0]] * 2)).tolist()
    [0, 0, 0, 0, 0, 0, 0, 0, 0]
    """
    stations, offsets = score.shape
    came_from = np.zeros((stations, offsets), dtype=np.int64)
    total = score[0].copy()
    for s in range(1, stations):
        best = int(np.argmax(total))
        changed = total[best] - CHANGE > total
        came_from[s] = np.where(changed, best, np.arange(offsets))
        total = np.where(changed, total[best] - CHANGE, total) + score[s]
    path = np.empty(stations, dtype=np.int64)
    path[-1] = int(np.argmax(total))
    for s in range(stations - 1, 0, -1):
        path[s - 1] = came_from[s, path[s]]
    return path


def exceptions(misfit: FloatArray, path: IntArray) -> IntArray:
    """Offsets `[station]` with those of single stations whose error at another is under half.

    Args:
        misfit: Mean absolute relative error `[station, offset]`, NaN where it is not known.
        path: Offset of each station's block, as an index `[station]`.
    """
    known = np.isfinite(misfit).all(axis=1)
    best = np.argmin(np.where(np.isfinite(misfit), misfit, np.inf), axis=1)
    at = np.arange(len(path))
    clearly = known & (misfit[at, path] > CLEARLY * misfit[at, best])
    return np.where(clearly, best, path)


def name_order(name: str) -> tuple[tuple[str, int], ...]:
    """A key that sorts B_9 before B_10.

    >>> sorted(["B_10", "B_9"], key=name_order)
    ['B_9', 'B_10']
    """
    parts = re.findall(r"(\D*)(\d*)", name)
    return tuple((text, int(number or -1)) for text, number in parts if text or number)
