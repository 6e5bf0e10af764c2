"""Means over seeds with their confidence intervals, and differences of designs on equal seeds."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Final

CONFIDENCE_FRAC: Final = 0.95
ONE_RUN: Final = "one run has no spread; ask for more seeds"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean over runs.

    Attributes:
        count: Runs in which the figure is defined.
        mean: Their mean; None without such a run.
        half_width: Half of the 95 % confidence interval of the mean; None with fewer than two.
        reason: Why one of them is None.
    """

    count: int
    mean: float | None
    half_width: float | None
    reason: str | None = None

    @property
    def excludes_zero(self) -> bool | None:
        """Whether the interval lies on one side of zero; None without an interval."""
        if self.mean is None or self.half_width is None:
            return None
        return abs(self.mean) > self.half_width


def estimate(values: Sequence[float]) -> Estimate:
    """Mean and Student's interval of independent runs.

    The half width is t s / sqrt(n), s with n - 1. It covers the true mean with 95 % where runs are
    independent and their spread is near normal; sums over many requests are. It says how far the
    seeds scatter, not how far the model is from reality.

    >>> estimate([1.0, 2.0, 3.0]).mean
    2.0
    """
    count = len(values)
    if count == 0:
        return Estimate(count=0, mean=None, half_width=None, reason="not defined in any run")
    mean = math.fsum(values) / count
    if count == 1:
        return Estimate(count=1, mean=mean, half_width=None, reason=ONE_RUN)
    variance = math.fsum((value - mean) ** 2 for value in values) / (count - 1)
    half = student_quantile(CONFIDENCE_FRAC, count - 1) * math.sqrt(variance / count)
    return Estimate(count=count, mean=mean, half_width=half)


def student_quantile(within_frac: float, freedom: int) -> float:
    """The t with P(|T| <= t) = `within_frac` for Student's T of some degrees of freedom.

    By bisection of `within`, to the last bits of a float; error below 1e-12 of t for the usual
    95 %. Beyond 99.999 % or so the digits thin out, for 1 - P is then small.
    """
    low, high = 0.0, math.pi / 2.0
    for _ in range(80):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if within(middle, freedom) < within_frac else (low, middle)
    return math.sqrt(freedom) * math.tan(0.5 * (low + high))


def within(theta: float, freedom: int) -> float:
    """P(|T| <= sqrt(freedom) tan(theta)) of Student's T, a finite sum for whole degrees of freedom.

    Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4: with c = cos
    theta, for even freedom sin theta (1 + 1/2 c^2 + 1 3/(2 4) c^4 + ...), for odd freedom
    2/pi (theta + sin theta (c + 2/3 c^3 + 2 4/(3 5) c^5 + ...)), up to c^(freedom - 2).
    """
    cosine = math.cos(theta)
    odd = freedom % 2
    term, terms = (cosine if odd else 1.0), []
    for power in range(odd, freedom - 1, 2):
        terms.append(term)
        term *= cosine**2 * (power + 1) / (power + 2)
    partial = math.sin(theta) * math.fsum(terms)
    return 2.0 / math.pi * (theta + partial) if odd else partial
