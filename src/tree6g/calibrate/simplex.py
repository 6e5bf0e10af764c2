"""A minimum without derivatives: the simplex of Nelder and Mead (Computer Journal 7, 1965)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def minimum(
    cost: Callable[[FloatArray], float],
    start: FloatArray,
    *,
    step: float = 0.25,
    turns: int = 200,
    spread: float = 1e-4,
) -> tuple[FloatArray, float]:
    """Where a cost is least, near a start, and that cost.

    Ends when the corners of the simplex lie within `spread` of each other in every coordinate, or
    after `turns`. A local minimum: start again from other places to be surer.

    Args:
        cost: Finite or inf for any point. [coordinate]
        start: First corner. [coordinate]
        step: How far the other corners are from it, one coordinate each.
        turns: Turns at most; each takes one to three costs.
        spread: Size of the simplex at the end.

    >>> at, least = minimum(lambda x: float(((x - 3.0) ** 2).sum()), np.zeros(2))
    >>> bool(np.allclose(at, 3.0, atol=1e-3))
    True
    """
    points = np.vstack([start, start + step * np.eye(len(start))])
    costs = np.array([cost(point) for point in points])
    for _ in range(turns):
        order = np.argsort(costs, kind="stable")
        points, costs = points[order], costs[order]
        if np.ptp(points, axis=0).max() < spread:
            break
        centre = points[:-1].mean(axis=0)
        away = centre - points[-1]
        reflected = centre + away
        reached = cost(reflected)
        if reached < costs[0]:
            further = centre + 2.0 * away
            beyond = cost(further)
            better = beyond < reached
            points[-1], costs[-1] = (further, beyond) if better else (reflected, reached)
        elif reached < costs[-2]:
            points[-1], costs[-1] = reflected, reached
        else:
            nearer = centre + (0.5 if reached < costs[-1] else -0.5) * away
            close = cost(nearer)
            if close < min(reached, costs[-1]):
                points[-1], costs[-1] = nearer, close
            else:  # draw all corners towards the best
                points[1:] = 0.5 * (points[1:] + points[0])
                costs[1:] = [cost(point) for point in points[1:]]
    best = int(np.argmin(costs))
    return points[best], float(costs[best])
