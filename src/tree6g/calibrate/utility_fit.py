"""Shape of a utility from scores of users at token rates, by least squares.

The model is score = floor + gain u(T)/u(T_max) with u a family of `metric.utility`. A utility is
known up to floor and gain from scores alone: they tell T0 and the order, never alpha, which is a
price. Intervals are those of the linearised model, errors taken as independent and of one spread;
with ten points or fewer above the parameters they are too narrow. On made-up panels of 24 scores
(six rates of 1 to 32 token/s, errors of 3 % of the gain) those of T0 held the truth in 90 to 100 %
of 60 panels a family; of 25, the family that made the scores was taken in 64 to 100 %.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tree6g.calibrate.least_squares import Solution, least_squares
from tree6g.calibrate.prices import Estimate
from tree6g.errors import DataError
from tree6g.metric.utility import FAMILIES, Curve, utility_bps

FloatArray = NDArray[np.float64]

FITTED: Final = ("linear", "log", "saturating", "alpha_fair", "power", "sigmoid")
NORMAL_95: Final = 1.96
_STARTS: Final = (0.1, 0.5, 2.0)  # of T0 over the largest rate
_FIRST_ORDER: Final = {"alpha_fair": 2.0, "power": 0.7, "sigmoid": 4.0}
_T0_SPAN: Final = 1e3  # T0 lies within this factor of the rates
_ORDER_SPAN: Final = (0.02, 50.0)
_NOT_ONE: Final = 1e-9  # ln order: `alpha_fair` has no order of exactly 1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FittedCurve:
    """A family fitted to scores.

    Attributes:
        family: Name of the family.
        t0_tps: Its scale; None for a family without one.
        order: Its order; None for a family without one.
        floor: Score at rate 0.
        gain: Score at the largest rate, above the floor.
        rms_error: Root of the mean squared error, in the unit of the scores.
        aicc: Akaike's criterion, corrected for few points: the least is the best.
    """

    family: str
    t0_tps: Estimate | None
    order: Estimate | None
    floor: float
    gain: float
    rms_error: float
    aicc: float

    def curve(self, alpha_bit_per_tok: float) -> Curve:
        """The utility of this shape with a worth of a token; of a power that at 1 token/s."""
        unit = 1.0 if self.family == "power" else None
        return Curve(
            family=self.family,
            alpha_bit_per_tok=alpha_bit_per_tok,
            t0_tps=unit if self.t0_tps is None else self.t0_tps.value,
            order=None if self.order is None else self.order.value,
        )


def fit_family(family: str, rate_tps: FloatArray, score: FloatArray) -> FittedCurve:
    """Fit one family.

    Args:
        family: One of `FITTED`.
        rate_tps: Token rates >= 0, of three values at least. [point]
        score: Scores at these rates, higher is better. [point]

    Raises:
        DataError: Too few points, one score for all, or scores that fall with the rate.
    """
    count = _parameters(family)
    _check(family, rate_tps, score, count)
    low, spread = float(score.min()), float(np.ptp(score))
    found = min(_solutions(family, rate_tps, (score - low) / spread), key=lambda s: s.cost)
    if found.at[1] <= 0.0:
        raise DataError("Expected scores that rise with the token rate; these fall with it.")
    freedom = len(score) - count
    covariance = np.linalg.pinv(found.jacobian.T @ found.jacobian) * (found.cost / freedom)
    shape = _shape(family, found.at[2:], float(rate_tps.max()))
    ends = [_interval(z, v) for z, v in zip(shape, np.diag(covariance)[2:], strict=True)]
    mean_square = found.cost / len(score)
    return FittedCurve(
        family=family,
        t0_tps=ends[0] if _scaled(family) else None,
        order=ends[-1] if FAMILIES[family].ordered else None,
        floor=low + spread * float(found.at[0]),
        gain=spread * float(found.at[1]),
        rms_error=spread * math.sqrt(mean_square),
        aicc=_aicc(mean_square, len(score), count + 1),
    )


def fit_best(rate_tps: FloatArray, score: FloatArray) -> list[FittedCurve]:
    """All families that the number of points allows, the best by Akaike's criterion first.

    Raises:
        DataError: As of `fit_family`.
    """
    able = [f for f in FITTED if len(score) > _parameters(f) + 2]
    fits = [fit_family(family, rate_tps, score) for family in able or ("linear",)]
    return sorted(fits, key=lambda found: found.aicc)


def _parameters(family: str) -> int:
    """Floor, gain, T0 and order, as far as the scores tell them."""
    spec = FAMILIES[family]
    return 2 + int(_scaled(family)) + int(spec.ordered)


def _scaled(family: str) -> bool:
    """Whether T0 changes the shape: (T/T0)^p is the same one for every T0."""
    return FAMILIES[family].scaled and family != "power"


def _check(family: str, rate_tps: FloatArray, score: FloatArray, count: int) -> None:
    if family not in FITTED:
        raise DataError(f"expected one of {', '.join(FITTED)}; got {family!r}.")
    if len(score) <= count:
        raise DataError(f"Expected more than {count} scores for '{family}'; got {len(score)}.")
    if len(np.unique(rate_tps)) < 3 or np.ptp(score) == 0.0:  # a shape needs three
        raise DataError("Expected scores that differ, at three different token rates or more.")


def _solutions(family: str, rate_tps: FloatArray, score: FloatArray) -> list[Solution]:
    spec = FAMILIES[family]
    order = [math.log(_FIRST_ORDER[family])] if spec.ordered else []
    starts: Sequence[list[float]] = (
        [[math.log(start)] for start in _STARTS] if _scaled(family) else [[]]
    )

    def residuals(points: FloatArray) -> FloatArray:
        """Errors of many points at once."""
        return np.array([p[0] + p[1] * _unit(family, rate_tps, p[2:]) - score for p in points])

    def solved(first: list[float]) -> Solution:
        """The minimum near one start."""
        start = np.array([0.0, 1.0, *first, *order])
        most = np.full(len(start), np.inf)
        return least_squares(residuals, start, most=most, turns=200, enough=1e-10)

    return [solved(first) for first in starts]


def _unit(family: str, rate_tps: FloatArray, z: FloatArray) -> FloatArray:
    """The family over its value at the largest rate."""
    top = float(rate_tps.max())
    shape = _shape(family, z, top)
    curve = Curve(
        family=family,
        alpha_bit_per_tok=1.0,
        t0_tps=math.exp(shape[0]) if _scaled(family) else top,
        order=math.exp(shape[-1]) if FAMILIES[family].ordered else None,
    )
    worth = utility_bps(np.append(rate_tps, top), curve)
    if worth[-1] == 0.0:  # so far below T0 that a steep sigmoid has no digit left
        return np.zeros_like(rate_tps)
    return worth[:-1] / worth[-1]


def _shape(family: str, z: FloatArray, top_tps: float) -> list[float]:
    """Logarithms of T0 and order from the parameters, within what a curve may have."""
    rest = list(z)
    found = []
    if _scaled(family):
        span = math.log(_T0_SPAN)
        found.append(math.log(top_tps) + float(np.clip(rest.pop(0), -span, span)))
    if FAMILIES[family].ordered:
        low, high = (math.log(end) for end in _ORDER_SPAN)
        order = float(np.clip(rest.pop(0), low, high))
        found.append(order if abs(order) > _NOT_ONE else _NOT_ONE)
    return found


def _interval(log: float, variance: float) -> Estimate:
    """A positive parameter from its logarithm; no ends where the data hardly tell it."""
    away = NORMAL_95 * math.sqrt(max(variance, 0.0))
    value = math.exp(log)
    if away > math.log(_T0_SPAN):
        return Estimate(value=value)
    return Estimate(value=value, low=value * math.exp(-away), high=value * math.exp(away))


def _aicc(mean_square: float, points: int, parameters: int) -> float:
    base = points * math.log(max(mean_square, 1e-30)) + 2.0 * parameters
    room = points - parameters - 1
    return base + 2.0 * parameters * (parameters + 1) / room if room > 0 else math.inf
