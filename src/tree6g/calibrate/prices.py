"""Worth of a token from prices: alpha = (price of a token) / (price of a bit).

Both prices are money that somebody pays, so alpha says what a token is worth to those who pay, at
a date and a place; it is no constant of nature. Pairs of prices of 2021 to 2026 lie between 275
and 960,000 bit per token. One currency on both sides; a gigabyte is 10^9 byte.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Final

import numpy as np
import numpy.typing as npt

BIT_PER_GB: Final = 8e9
TOK_PER_MTOK: Final = 1e6


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """An estimate with its interval; None where the data give none.

    Attributes:
        value: The estimate.
        low: Lower end of its 95 % interval.
        high: Upper end of it.
    """

    value: float
    low: float | None = None
    high: float | None = None

    def over(self, divisor: float) -> Estimate:
        """The estimate over a known number > 0."""
        ends = (None if end is None else end / divisor for end in (self.low, self.high))
        low, high = ends
        return Estimate(value=self.value / divisor, low=low, high=high)


def alpha_bit_per_tok(
    usd_per_mtok: npt.ArrayLike, usd_per_gb: npt.ArrayLike
) -> npt.NDArray[np.float64]:
    """Worth of a token in bit-equivalents from two prices in one currency.

    Args:
        usd_per_mtok: Price of 10^6 tokens. [any]
        usd_per_gb: Price of 10^9 byte, > 0. [any]

    >>> float(alpha_bit_per_tok(10.0, 2.0))
    40000.0
    """
    of_token = np.asarray(usd_per_mtok, dtype=np.float64) / TOK_PER_MTOK
    return of_token / (np.asarray(usd_per_gb, dtype=np.float64) / BIT_PER_GB)


def quantile(values: npt.ArrayLike, level_frac: float, *, beyond_frac: float = 0.025) -> Estimate:
    """A quantile of a sample with an interval that needs no distribution.

    Its ends are order statistics: the number of values below the true quantile is binomial. The
    interval holds it with at least 1 - 2 beyond_frac, if the values are independent of each other.
    An end is None where even the least or the greatest value does not reach that.

    Args:
        values: The sample. [value]
        level_frac: Which quantile, within (0, 1).
        beyond_frac: Chance on either side that the quantile lies beyond the end.

    >>> quantile(range(1, 10), 0.5)
    Estimate(value=5.0, low=2.0, high=8.0)
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    below = np.cumsum(_binomial(len(ordered), level_frac))  # chance of at most k values below it
    low_rank = int(np.searchsorted(below, beyond_frac, side="right"))  # P(at most rank - 1) fits
    high_rank = int(np.searchsorted(below, 1.0 - beyond_frac, side="left")) + 1
    return Estimate(
        value=float(np.quantile(ordered, level_frac)),
        low=float(ordered[low_rank - 1]) if low_rank else None,
        high=float(ordered[high_rank - 1]) if high_rank <= len(ordered) else None,
    )


def _binomial(count: int, chance: float) -> npt.NDArray[np.float64]:
    """Chances of 0 to `count` successes."""
    k = np.arange(count + 1)
    log_factorial = np.array([math.lgamma(n + 1.0) for n in k])
    ways = log_factorial[-1] - log_factorial - log_factorial[::-1]
    logs = ways + k * math.log(chance) + (count - k) * math.log1p(-chance)
    return np.exp(logs)
