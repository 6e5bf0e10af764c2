"""Nonlinear least squares with bounds: Levenberg and Marquardt's method, numerical derivatives.

All points of a numerical derivative are evaluated in one call, so that a vectorised model costs
little more for a hundred parameters than for one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

_STEP: Final = 1e-4  # of a derivative; parameters are logarithms, so this is 0.01 %
_FAR: Final = 1.0  # the longest step of a turn


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Solution:
    """A local minimum.

    Attributes:
        at: The parameters. [parameter]
        cost: Sum of squared residuals there.
        jacobian: Derivatives of the residuals there. [residual, parameter]
    """

    at: FloatArray
    cost: float
    jacobian: FloatArray


def least_squares(
    residuals: Callable[[FloatArray], FloatArray],
    start: FloatArray,
    *,
    most: FloatArray,
    turns: int = 60,
    enough: float = 1e-5,
) -> Solution:
    """Parameters of the least sum of squared residuals near a start.

    Args:
        residuals: Residuals of many points at once: from [point, parameter] to [point, residual].
        start: Where to begin. [parameter]
        most: Upper bounds. [parameter]
        turns: Turns at most.
        enough: Relative fall of the cost in a turn below which it ends.

    >>> def line(z):
    ...     return z[:, :1] * np.arange(3.0) + z[:, 1:] - np.array([1.0, 3.0, 5.0])
    >>> least_squares(line, np.zeros(2), most=np.full(2, 9.0)).at.round(6).tolist()
    [2.0, 1.0]
    """
    at = np.minimum(start, most)
    here = residuals(at[None, :])[0]
    cost, damping = float(here @ here), 1e-2
    slope = _jacobian(residuals, at, here)
    for _ in range(turns):
        found = _downhill(residuals, at, here, slope, most, damping)
        if found is None:
            break
        at, here, damping = found
        fell, cost = cost - float(here @ here), float(here @ here)
        slope = _jacobian(residuals, at, here)
        if fell < enough * cost:
            break
    return Solution(at=at, cost=cost, jacobian=slope)


def _downhill(
    residuals: Callable[[FloatArray], FloatArray],
    at: FloatArray,
    here: FloatArray,
    slope: FloatArray,
    most: FloatArray,
    damping: float,
) -> tuple[FloatArray, FloatArray, float] | None:
    """A point of lower cost, its residuals and the damping to go on with; None where there is none.

    The damped system is solved for the parameters that are not held by their bounds.
    """
    gradient, curvature = slope.T @ here, slope.T @ slope
    free = ~((at >= most) & (gradient < 0.0))
    inner = curvature[np.ix_(free, free)]
    for _ in range(10):
        step = np.zeros_like(at)
        damped = inner + damping * np.diag(np.diag(inner) + 1e-12)
        step[free] = -np.linalg.solve(damped, gradient[free])
        there = np.minimum(at + np.clip(step, -_FAR, _FAR), most)
        then = residuals(there[None, :])[0]
        if then @ then < here @ here:
            return there, then, max(damping / 5.0, 1e-7)
        damping *= 4.0
    return None


def _jacobian(
    residuals: Callable[[FloatArray], FloatArray], at: FloatArray, here: FloatArray
) -> FloatArray:
    moved = at[None, :] + _STEP * np.eye(len(at))
    return (residuals(moved) - here).T / _STEP
