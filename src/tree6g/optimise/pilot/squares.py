"""Least squares that forget: a line through what was seen lately, with coefficients from 0."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
_HOLD: Final = 1e-3
_AT_ONCE: Final = 16  # observations after each of which the line is drawn anew; later every eighth
_EVERY: Final = 8


def fitted(gram: FloatArray, moment: FloatArray) -> FloatArray:
    """The least of x' G x - 2 m' x over x >= 0.

    Coefficients that come out negative are set to 0 one after the other, the most negative first,
    and the others fitted anew: exact with up to two coefficients, and never below 0 with more.

    Args:
        gram: G, positive definite. [coefficient, coefficient]
        moment: m. [coefficient]

    >>> fitted(np.eye(2), np.array([2.0, -1.0])).tolist()
    [2.0, 0.0]
    """
    free = list(range(len(moment)))
    while free:
        found = np.linalg.solve(gram[np.ix_(free, free)], moment[free])
        if found.min() >= 0.0:
            break
        free.pop(int(found.argmin()))
    result = np.zeros(len(moment))
    if free:
        result[free] = found
    return result


class Squares:
    """y = c . x with c >= 0 from observations, each counting `keep_frac` of the one after it.

    A prior holds what nothing has been seen of: it weighs as much as a thousandth of an observation
    at `typical`, so it fills gaps and does not bend what was measured.

    Attributes:
        count: Observations so far.
    """

    def __init__(
        self, prior: Sequence[float], typical: Sequence[float], *, keep_frac: float = 0.98
    ) -> None:
        """Begin with coefficients, and a usual size of each entry of x."""
        self.count = 0
        self._prior, self._keep = np.array(prior, dtype=np.float64), keep_frac
        self._hold = _HOLD * np.diag(np.square(np.array(typical, dtype=np.float64)))
        self._gram = np.zeros_like(self._hold)
        self._moment = np.zeros_like(self._prior)
        self._found: list[float] | None = None
        self._error_sum = self._weight = 0.0

    @property
    def coefficients(self) -> list[float]:
        """Vector c, from 0, of observations up to the newest few."""
        if self._found is None:
            gram, moment = self._gram + self._hold, self._moment + self._hold @ self._prior
            self._found = fitted(gram, moment).tolist()
        return self._found

    @property
    def spread(self) -> float:
        """Root mean square error of forecasts, each made before its observation."""
        return math.sqrt(self._error_sum / self._weight) if self._weight else 0.0

    def forecast(self, x: Sequence[float]) -> float:
        """Expected y at x, from 0."""
        return sum(c * v for c, v in zip(self.coefficients, x, strict=True))

    def add(self, x: Sequence[float], y: float) -> None:
        """Take an observation; one that is not finite is none."""
        if not all(map(math.isfinite, (*x, y))):
            return
        if self.count:
            self._weight = self._keep * self._weight + 1.0
            error = y - self.forecast(x)
            self._error_sum = self._keep * self._error_sum + error * error
        at = np.array(x, dtype=np.float64)
        self._gram = self._keep * self._gram + at[:, None] * at
        self._moment = self._keep * self._moment + at * y
        self.count += 1
        if self.count <= _AT_ONCE or self.count % _EVERY == 0:
            self._found = None
