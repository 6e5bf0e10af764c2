"""Functions that a compiler can vectorise: single precision, polynomials, no branches.

Coefficients are interpolations at Chebyshev nodes of the range that is left after taking off powers
of two, turns or octants; errors are over that range, rounding included.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from tree6g.radio.link.compiler import compiled_fast

Real = np.float32
F: Final = np.float32
I: Final = np.int32  # noqa: E741 -- stands beside F

_ROOT_HALF_BITS: Final = I(0x3F3504F3)  # sqrt(1/2) as bits
_MANTISSA: Final = I(23)
_PI: Final = F(np.pi)
_HALF_PI: Final = F(np.pi / 2.0)
TURN: Final = F(2.0 * np.pi)


@compiled_fast
def log2(x: Real) -> Real:
    """Binary logarithm of a positive number, error 3e-7."""
    bits = F(x).view(I)
    whole = I(I(bits - _ROOT_HALF_BITS) >> _MANTISSA)
    m = I(bits - I(whole << _MANTISSA)).view(F) - F(1.0)
    p = F(0.234209851) - m * F(0.146203534)
    p = F(-0.248821806) + m * p
    p = F(0.287075611) + m * p
    p = F(-0.360241986) + m * p
    p = F(0.480924039) + m * p
    p = F(-0.721352759) + m * p
    return F(whole) + m * (F(1.44269496) + m * p)


@compiled_fast
def exp2(x: Real) -> Real:
    """Power of two, relative error 2e-7; 2^-120 from there on down."""
    t = max(F(x), F(-120.0))
    whole = I(t + F(512.5)) - I(512)
    f = t - F(whole)
    p = F(0.0096760371) + f * F(0.00134004322)
    p = F(0.0555032721) + f * p
    p = F(0.240221074) + f * p
    p = F(0.693147207) + f * p
    return (F(1.00000008) + f * p) * I(I(whole + I(127)) << _MANTISSA).view(F)


@compiled_fast
def angle(y: Real, x: Real) -> Real:
    """Angle of a vector, -pi to pi, error 4e-7."""
    ax, ay = abs(F(x)), abs(F(y))
    q = min(ax, ay) / max(ax, ay, F(1e-20))
    u = q * q
    p = F(0.0241661895) - u * F(0.00466877331)
    p = F(-0.0593671008) + u * p
    p = F(0.099060969) + u * p
    p = F(-0.14016585) + u * p
    p = F(0.199692354) + u * p
    p = F(-0.333319597) + u * p
    a = q * (F(0.999999898) + u * p)
    a = _HALF_PI - a if ay > ax else a
    a = _PI - a if x < F(0.0) else a
    return -a if y < F(0.0) else a


@compiled_fast
def sine(g: Real) -> Real:
    """sin(2 pi g) for up to a quarter of a turn, error 1e-7."""
    u = g * g
    p = F(39.7607221) * u - F(76.5812846)
    p = F(81.6024807) + u * p
    p = F(-41.3416807) + u * p
    return g * (F(6.28318528) + u * p)


@compiled_fast
def sine2(x: Real) -> Real:
    """sin(pi r)^2 / r^2 for x = r^2, r up to 1/2; relative error 1e-7."""
    p = F(-3.91307772) + F(x) * F(0.741980127)
    p = F(13.2066104) + x * p
    p = F(-30.1217544) + x * p
    p = F(42.7283851) + x * p
    p = F(-32.4696966) + x * p
    return F(9.8696044) + x * p


@compiled_fast
def uniform(z: Real) -> Real:
    """Distribution function of the normal distribution (Abramowitz and Stegun 26.2.17)."""
    a = abs(F(z))
    t = F(1.0) / (F(1.0) + F(0.2316419) * a)
    p = F(-1.821255978) + t * F(1.330274429)
    p = F(1.781477937) + t * p
    p = F(-0.356563782) + t * p
    p = F(0.319381530) + t * p
    tail = exp2(F(-0.72134752) * a * a) * F(0.39894228) * t * p
    return F(1.0) - tail if z > F(0.0) else tail
