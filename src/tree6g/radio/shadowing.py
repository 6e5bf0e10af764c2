"""Random fields over the ground: what is alike for terminals that stand close together.

Shadowing, line of sight and effective height are read from Gaussian fields of zero mean and unit
variance with the autocorrelation exp(-distance / correlation distance) of TR 38.901 clause 7.4.4,
one field per site: cells of one site share it, sites are independent, and a terminal that comes
back to a place finds the value that it left there.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import Final

import numpy as np
import numpy.typing as npt

from tree6g.radio.pathloss import FloatArray

WAVES: Final = 64
FLOOR_M: Final = 3.0
LAYER_TURN: Final = 0.25  # between the phases of successive waves, so that layers are orthogonal
_GOLDEN_TURN: Final = (np.sqrt(5.0) - 1.0) / 2.0
_CHUNK: Final = 4096  # terminals at once


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Field:
    """A sum of plane waves per site; the scale of correlation comes in on reading.

    The sites have their waves in common and the phases to themselves: that makes them independent,
    and reading all of them a matrix product.

    Attributes:
        wave: Wave vector for a correlation distance of 1 m. [wave, 2]
        phase_rad: Phase. [site, wave]
    """

    wave: FloatArray
    phase_rad: FloatArray


def field(rng: np.random.Generator, sites: int, *, waves: int = WAVES) -> Field:
    """Draw one field for each site.

    The spectrum of exp(-r) in the plane, 1 / (1 + k^2)^(3/2), gives k = sqrt(1/u^2 - 1) for u
    uniform on (0, 1]; u is spread evenly over the waves and directions follow the golden angle,
    which brings the autocorrelation of every draw close to its mean: within 0.06 (standard
    deviation over draws, at up to four correlation distances).
    """
    number = np.arange(waves)
    even = (number + rng.random(waves)) / waves
    k = np.sqrt(1.0 / np.maximum(1.0 - even, 1e-9) ** 2 - 1.0)
    angle = (number * _GOLDEN_TURN + rng.random()) * 2.0 * np.pi
    wave = np.column_stack([k * np.cos(angle), k * np.sin(angle)])
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
        layer: Independent parts 0 to 3 of the same field, such as 0 with and 1 without line of
            sight. [terminal, site], or what broadcasts to it.
    """
    shape = (len(position_m), len(ground.phase_rad))
    reach_m, part = np.asarray(correlation_m, dtype=np.float64), np.asarray(layer)
    value = np.empty(shape)
    for number, distance_m in itertools.product(np.unique(part), np.unique(reach_m)):
        chosen = np.broadcast_to((part == number) & (reach_m == distance_m), shape)
        rows = np.flatnonzero(chosen.any(axis=1))
        for start in range(0, len(rows), _CHUNK):
            some = rows[start : start + _CHUNK]
            read = _read(ground, position_m[some], distance_m, number)
            value[some] = np.where(chosen[some], read, value[some])
    return value


def _read(ground: Field, position_m: FloatArray, reach_m: float, layer: float) -> FloatArray:
    """sqrt(2/n) sum_w cos(k_w . p + phase_w + turn_w), by the sum formula. [terminal, site].

    Floors and layers turn the phases of successive waves by different steps: at the same place
    their values are orthogonal (fewer than a quarter as many floors as waves, four layers).
    """
    waves = len(ground.wave)
    turn = np.floor(position_m[:, 2:] / FLOOR_M) / waves + LAYER_TURN * layer
    place = position_m[:, :2] @ ground.wave.T / reach_m + 2.0 * np.pi * np.arange(waves) * turn
    phase = ground.phase_rad.T
    total = np.cos(place) @ np.cos(phase) - np.sin(place) @ np.sin(phase)
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
