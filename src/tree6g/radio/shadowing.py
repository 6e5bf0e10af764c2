"""Random fields over the ground: what is alike for terminals that stand close together.

Shadowing, line of sight and effective height are read from Gaussian fields of zero mean and unit
variance with the autocorrelation exp(-distance / correlation distance) of TR 38.901 clause 7.4.4,
one field per site: cells of one site share it, sites are independent, and a terminal that comes
back to a place finds the value that it left there.
"""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np
import numpy.typing as npt

from tree6g.radio.pathloss import FloatArray

WAVES: Final = 64
FLOOR_M: Final = 3.0
# Far apart on every scale: values on different floors do not depend on each other (clause 7.5).
FLOOR_SHIFT: Final = (7919.0, 6101.0)
LAYER_FLOORS: Final = 41.0  # more than a building has


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Field:
    """A sum of plane waves per site; the scale of correlation comes in on reading.

    Attributes:
        wave: Wave vector for a correlation distance of 1 m. [site, wave, 2]
        phase_rad: Phase. [site, wave]
    """

    wave: FloatArray
    phase_rad: FloatArray


def field(rng: np.random.Generator, sites: int, *, waves: int = WAVES) -> Field:
    """Draw one field for each site.

    The spectrum of exp(-r) in the plane, 1 / (1 + k^2)^(3/2), gives k = sqrt(1/u^2 - 1) for u
    uniform on (0, 1]; u is spread evenly over the waves, which brings the autocorrelation of every
    single field close to its mean.
    """
    even = (np.arange(waves) + rng.random((sites, waves))) / waves
    k = np.sqrt(1.0 / np.maximum(1.0 - even, 1e-9) ** 2 - 1.0)
    angle = rng.random((sites, waves)) * 2.0 * np.pi
    wave = np.stack([k * np.cos(angle), k * np.sin(angle)], axis=-1)
    return Field(wave=wave, phase_rad=rng.random((sites, waves)) * 2.0 * np.pi)


def normal(
    ground: Field, position_m: FloatArray, correlation_m: npt.ArrayLike, *, layer: npt.ArrayLike = 0
) -> FloatArray:
    """Values of a field: standard normal over fields. [terminal, site].

    Args:
        ground: One field per site.
        position_m: x, y and height of the terminals; different floors are independent.
            [terminal, 3]
        correlation_m: Distance over which the autocorrelation falls to 1/e. [terminal, site], or
            what broadcasts to it.
        layer: Independent parts of the same field, such as 0 with and 1 without line of sight.
            [terminal, site], or what broadcasts to it.
    """
    sites, waves = ground.phase_rad.shape
    shape = (len(position_m), sites)
    scale = 1.0 / np.asarray(correlation_m, dtype=np.float64)
    level = np.floor(position_m[:, 2] / FLOOR_M)[:, None] + LAYER_FLOORS * np.asarray(layer)
    x = np.broadcast_to(position_m[:, :1] * scale + FLOOR_SHIFT[0] * level, shape)
    y = np.broadcast_to(position_m[:, 1:2] * scale + FLOOR_SHIFT[1] * level, shape)
    total = np.zeros(shape)
    for w in range(waves):
        total += np.cos(
            ground.wave[:, w, 0] * x + ground.wave[:, w, 1] * y + ground.phase_rad[:, w]
        )
    return total * np.sqrt(2.0 / waves)


def uniform(value: FloatArray) -> FloatArray:
    """Standard normal values as uniform ones on (0, 1), by the distribution function.

    Phi(z) by Abramowitz and Stegun 26.2.17, error below 7.5e-8: NumPy has no error function.
    """
    z = np.abs(value)
    t = 1.0 / (1.0 + 0.2316419 * z)
    poly = np.full_like(z, 1.330274429)
    for c in (-1.821255978, 1.781477937, -0.356563782, 0.319381530):
        poly = c + t * poly
    tail = np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi) * t * poly
    return np.where(value > 0.0, 1.0 - tail, tail)
