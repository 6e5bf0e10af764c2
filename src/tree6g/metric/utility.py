"""Utility families (METRIC rule 3): worth per second of an effective token rate, in bit/s.

Every family has U(0) = 0 and does not decrease. `T` is the effective token rate of one utility
unit, `alpha` the worth of a token in bit-equivalents, `T0` the scale at which returns change:

    linear       alpha T
    log          alpha T0 ln(1 + T/T0)
    alpha_fair   alpha T0 ((1 + T/T0)^(1-a) - 1)/(1-a),  a = order != 1
    saturating   alpha T0 (1 - exp(-T/T0))
    power        alpha T0 (T/T0)^p,  p = order > 0
    sigmoid      alpha T0 (s(k(T-T0)/T0) - s(-k))/(1 - s(-k)),  k = order, s the logistic function
    piecewise    alpha times the line through (0, 0) and the knots (rate, worth), then flat

alpha is the slope at 0 of the first four, U(T0)/T0 for power and U(inf)/T0 for sigmoid. A family of
one's own is one function with `@family("name", concave=...)`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from tree6g.errors import LedgerError, nearest

FloatArray = npt.NDArray[np.float64]
Shape = Callable[[FloatArray, "Curve"], tuple[FloatArray, FloatArray]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Parameters of a utility.

    Attributes:
        family: Name of the family.
        alpha_bit_per_tok: Worth of a token, >= 0.
        t0_tps: Scale T0 in token/s, > 0; the linear family does not use it.
        order: a of alpha_fair, p of power, k of sigmoid.
        knots: Points (rate in token/s, worth in token/s) of the piecewise family, rates rising.
    """

    family: str = "linear"
    alpha_bit_per_tok: float = 1e4
    t0_tps: float | None = None
    order: float | None = None
    knots: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        """Refuse what would break U(0) = 0 or monotony."""
        if self.family not in FAMILIES:
            raise LedgerError(f"unknown utility family. {nearest(self.family, FAMILIES)}")
        if not 0 <= self.alpha_bit_per_tok < np.inf:
            raise LedgerError(f"alpha must be >= 0 bit/tok; got {self.alpha_bit_per_tok}.")
        spec = FAMILIES[self.family]
        if spec.scaled and not (self.t0_tps and 0 < self.t0_tps < np.inf):
            raise LedgerError(f"family '{self.family}' needs t0_tps > 0 tok/s; got {self.t0_tps}.")
        if spec.ordered and not (self.order is not None and 0 < self.order < np.inf):
            raise LedgerError(f"family '{self.family}' needs order > 0; got {self.order}.")
        if self.family == "alpha_fair" and self.order == 1.0:
            raise LedgerError("alpha_fair of order 1 is the family 'log'; name that.")
        if self.family == "piecewise":
            _check_knots(self.knots)

    @property
    def concave(self) -> bool:
        """Whether U is concave, so that a smoothed rate overstates it."""
        if self.family == "power":
            return self.order is not None and self.order <= 1
        if self.family == "piecewise":
            return bool(np.all(np.diff(_slopes(self.knots)) <= 1e-12))
        return FAMILIES[self.family].concave

    @property
    def linear(self) -> bool:
        """Whether U is linear in T, so that averaging intervals do not matter."""
        return self.family == "linear" or (self.family == "power" and self.order == 1.0)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A shape U(T)/alpha with its derivative, and which parameters it needs."""

    shape: Shape
    concave: bool
    scaled: bool
    ordered: bool


FAMILIES: Final[dict[str, Family]] = {}


def family(
    name: str, *, concave: bool, scaled: bool = True, ordered: bool = False
) -> Callable[[Shape], Shape]:
    """Register a utility family.

    The decorated function takes rates [unit] in token/s and the curve and returns U/alpha and
    dU/dT/alpha, both [unit]; U(0) = 0 and dU/dT >= 0 must hold.

    Args:
        name: Name in profiles.
        concave: Whether U is concave for all parameters.
        scaled: Whether the family needs T0.
        ordered: Whether the family needs an order.

    Raises:
        LedgerError: The name is taken.
    """

    def register(shape: Shape) -> Shape:
        """Keep the shape under its name."""
        if name in FAMILIES:
            raise LedgerError(f"utility family '{name}' exists; choose another name.")
        FAMILIES[name] = Family(shape=shape, concave=concave, scaled=scaled, ordered=ordered)
        return shape

    return register


def utility_bps(rate_tps: npt.ArrayLike, curve: Curve) -> FloatArray:
    """Utility rate U(T) in bit-equivalents per second.

    Args:
        rate_tps: Effective token rates of utility units, >= 0. [unit]
        curve: Family and parameters.

    Returns:
        U(T). [unit]

    >>> float(utility_bps(100.0, Curve(family="log", alpha_bit_per_tok=1.0, t0_tps=10.0)).round(2))
    23.98
    """
    value, _ = FAMILIES[curve.family].shape(np.asarray(rate_tps, dtype=np.float64), curve)
    return curve.alpha_bit_per_tok * value


def marginal_bit_per_tok(rate_tps: npt.ArrayLike, curve: Curve) -> FloatArray:
    """Derivative dU/dT in bit-equivalents per token, one per unit."""
    _, slope = FAMILIES[curve.family].shape(np.asarray(rate_tps, dtype=np.float64), curve)
    return curve.alpha_bit_per_tok * slope


def _t0(curve: Curve) -> float:
    return 1.0 if curve.t0_tps is None else curve.t0_tps


def _order(curve: Curve) -> float:
    return 1.0 if curve.order is None else curve.order


@family("linear", concave=True, scaled=False)
def _linear(rate: FloatArray, _: Curve) -> tuple[FloatArray, FloatArray]:
    return rate, np.ones_like(rate)


@family("log", concave=True)
def _log(rate: FloatArray, curve: Curve) -> tuple[FloatArray, FloatArray]:
    t0 = _t0(curve)
    return t0 * np.log1p(rate / t0), 1.0 / (1.0 + rate / t0)


@family("alpha_fair", concave=True, ordered=True)
def _alpha_fair(rate: FloatArray, curve: Curve) -> tuple[FloatArray, FloatArray]:
    t0, a = _t0(curve), _order(curve)
    log1 = np.log1p(rate / t0)
    return t0 * np.expm1((1.0 - a) * log1) / (1.0 - a), np.exp(-a * log1)


@family("saturating", concave=True)
def _saturating(rate: FloatArray, curve: Curve) -> tuple[FloatArray, FloatArray]:
    t0 = _t0(curve)
    return -t0 * np.expm1(-rate / t0), np.exp(-rate / t0)


@family("power", concave=False, ordered=True)
def _power(rate: FloatArray, curve: Curve) -> tuple[FloatArray, FloatArray]:
    t0, p = _t0(curve), _order(curve)
    with np.errstate(divide="ignore"):
        slope = p * np.power(rate / t0, p - 1.0)
    return t0 * np.power(rate / t0, p), slope


@family("sigmoid", concave=False, ordered=True)
def _sigmoid(rate: FloatArray, curve: Curve) -> tuple[FloatArray, FloatArray]:
    t0, k = _t0(curve), _order(curve)
    at, at0 = _logistic(k * (rate - t0) / t0), _logistic(np.asarray(-k))
    return t0 * (at - at0) / (1.0 - at0), k * at * (1.0 - at) / (1.0 - at0)


@family("piecewise", concave=False, scaled=False)
def _piecewise(rate: FloatArray, curve: Curve) -> tuple[FloatArray, FloatArray]:
    x = np.array([0.0, *(k[0] for k in curve.knots)])
    y = np.array([0.0, *(k[1] for k in curve.knots)])
    slopes = np.append(np.diff(y) / np.diff(x), 0.0)
    return np.interp(rate, x, y), slopes[np.searchsorted(x, rate, side="right") - 1]


def _logistic(x: FloatArray) -> FloatArray:
    # Written with tanh so that large |x| neither overflows nor loses digits.
    return 0.5 * (1.0 + np.tanh(0.5 * x))


def _slopes(knots: Sequence[tuple[float, float]]) -> FloatArray:
    points = np.array([(0.0, 0.0), *knots])
    return np.append(np.diff(points[:, 1]) / np.diff(points[:, 0]), 0.0)


def _check_knots(knots: tuple[tuple[float, float], ...]) -> None:
    flat = [v for knot in knots for v in knot]
    if not knots or not np.all(np.isfinite(flat)):
        raise LedgerError("family 'piecewise' needs finite knots (rate_tps, worth_tps).")
    points = np.array([(0.0, 0.0), *knots])
    if np.any(np.diff(points[:, 0]) <= 0) or np.any(np.diff(points[:, 1]) < 0):
        raise LedgerError(f"knots must rise from (0, 0), the worth without falling; got {knots}.")
