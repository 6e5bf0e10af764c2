"""A curve over an even grid, read at many places: `numpy.interp`, or a loop without a search."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from tree6g.radio.air_step import is_compiled
from tree6g.radio.pathloss import FloatArray


def read(at: FloatArray, grid: FloatArray, curve: FloatArray) -> FloatArray:
    """Values of a curve between the points of a grid; beyond its ends those of the ends.

    To the last bit the same with a compiler in the process as without.

    Args:
        at: Where. Any shape.
        grid: Places of the points, even but for rounding and ascending. [point]
        curve: Values there. [point]
    """
    if not is_compiled():
        return np.interp(at, grid, curve)
    found = np.empty(at.shape)
    _compiled()(np.ascontiguousarray(at).reshape(-1), grid, curve, found.reshape(-1))
    return found


def read_each(at: Any, grid: Any, curve: Any, found: Any) -> None:
    """`read` as a loop: the point below by division, which rounding may miss by one."""
    last = len(grid) - 1
    per_step = last / (grid[last] - grid[0])
    for i in range(len(at)):
        x = at[i]
        if not x < grid[last]:  # above, or not a number
            found[i] = curve[last] if x >= grid[last] else x
        elif x < grid[0]:
            found[i] = curve[0]
        else:
            j = min(int((x - grid[0]) * per_step), last - 1)
            while grid[j] > x:
                j -= 1
            while grid[j + 1] <= x:
                j += 1
            slope = (curve[j + 1] - curve[j]) / (grid[j + 1] - grid[j])
            found[i] = slope * (x - grid[j]) + curve[j]


@functools.cache
def _compiled() -> Callable[..., Any]:
    from tree6g.radio.link.compiler import compiled_together

    return compiled_together([read_each])
