"""Values with ranges, and what becomes of the ranges in sums, products and shares.

A range says where a value may lie, for instance between sources that disagree; it is no confidence
interval. Ranges are carried through by Monte Carlo: every input is drawn independently, half of the
draws log-uniform between its low end and its value, half between its value and its high end, so
that its median is the value; each figure is computed from all draws at once; its interval is from
the 2.5 % to the 97.5 % quantile. The same seed gives the same interval.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tree6g.errors import DataError

Draws = NDArray[np.float64]  # [draw]
COUNT: Final = 4001
QUANTILES: Final = (0.025, 0.975)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """A value and the range that it may lie in: 0 < low <= value <= high, or 0 throughout."""

    value: float
    low: float
    high: float

    def __post_init__(self) -> None:
        """Refuse a range that does not hold its value."""
        zero = self.low == self.value == self.high == 0.0
        if not zero and not 0.0 < self.low <= self.value <= self.high < np.inf:
            raise DataError(
                f"expected 0 < low <= value <= high; got {self.low:g}, {self.value:g}, "
                f"{self.high:g}."
            )

    def scaled(self, factor: float) -> Range:
        """All three times a factor of at least 0."""
        return Range(value=self.value * factor, low=self.low * factor, high=self.high * factor)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


def exact(value: float) -> Range:
    """A value without a range."""
    return Range(value=value, low=value, high=value)


def within(value: float, u95_frac: float) -> Range:
    """A value with a relative half width, taken by factors so that it stays positive.

    >>> within(100.0, 0.25)
    Range(value=100.0, low=80.0, high=125.0)
    """
    return Range(value=value, low=value / (1.0 + u95_frac), high=value * (1.0 + u95_frac))


def sums(parts: Sequence[Range]) -> Range:
    """The sum of ranges that lie low together and high together, as of one meter or one source.

    >>> sums([exact(1.0), within(100.0, 0.25)])
    Range(value=101.0, low=81.0, high=126.0)
    """
    return Range(
        value=math.fsum(part.value for part in parts),
        low=math.fsum(part.low for part in parts),
        high=math.fsum(part.high for part in parts),
    )


def draws(ranged: Range, generator: np.random.Generator) -> Draws:
    """Draws `[draw]` of a range; the first is the value itself."""
    if ranged.low == ranged.high:
        return np.full(COUNT, ranged.value)
    u = generator.random(COUNT)
    low, value, high = np.log([ranged.low, ranged.value, ranged.high])
    drawn = np.where(u < 0.5, low + (value - low) * 2.0 * u, value + (high - value) * (2.0 * u - 1))
    found: Draws = np.exp(drawn)
    found[0] = ranged.value
    return found


def estimate(drawn: Draws) -> Estimate:
    """The figure at the inputs' values, with the interval of its draws."""
    low, high = np.quantile(drawn, QUANTILES)
    value = float(drawn[0])
    return Estimate(value=value, low=min(float(low), value), high=max(float(high), value))
