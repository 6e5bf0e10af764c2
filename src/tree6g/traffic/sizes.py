"""Sizes of messages: fixed, or drawn from a distribution with a given mean."""

from __future__ import annotations

import dataclasses
import math
from typing import Final

import numpy as np
import numpy.typing as npt

from tree6g import data

FloatArray = npt.NDArray[np.float64]

POINTS: Final = 2001  # of a distribution function; straight lines between them


@dataclasses.dataclass(slots=True, kw_only=True)
class Sizes:
    """Sizes in the order in which they are asked for, however many at once.

    Attributes:
        rng: Their stream of random numbers.
        mean_byte: Mean size.
        level: Distribution function; empty: all sizes are the mean. [point]
        part: Size over the mean at each level. [point]
    """

    rng: np.random.Generator
    mean_byte: float
    level: FloatArray = dataclasses.field(default_factory=lambda: np.empty(0))
    part: FloatArray = dataclasses.field(default_factory=lambda: np.empty(0))

    def draw(self, messages: int) -> FloatArray:
        """Sizes. [message]."""
        if not len(self.level):
            return np.full(messages, self.mean_byte)
        return self.mean_byte * np.interp(self.rng.random(messages), self.level, self.part)


def sizes(rng: np.random.Generator, mean_byte: float, row: data.Row | None = None) -> Sizes:
    """Sizes of a traffic model, scaled to a mean.

    Args:
        rng: Their stream.
        mean_byte: Mean size.
        row: Row of the packaged table `traffic_models`; None: fixed sizes.
    """
    kind = "fixed" if row is None else data.text(row, "size")
    if row is None or kind not in ("gauss", "pareto"):
        return Sizes(rng=rng, mean_byte=mean_byte)
    if kind == "gauss":
        low, high = data.number(row, "size_min_frac"), data.number(row, "size_max_frac")
        level, part = truncated_gauss(1.0, data.number(row, "size_std_frac"), low, high)
    else:
        low, high = data.number(row, "size_min_byte"), data.number(row, "size_max_byte")
        shape, head = data.number(row, "size_shape"), data.number(row, "size_header_byte")
        level, part = capped_pareto(shape, low, high, head)
    return Sizes(rng=rng, mean_byte=mean_byte, level=level, part=part)


def truncated_gauss(
    mean: float, std: float, low: float, high: float
) -> tuple[FloatArray, FloatArray]:
    """Levels and values of a Gaussian between two bounds (what lies outside is drawn anew).

    [point] each; between points straight lines, less than 1e-6 of the range off.
    """
    value = np.linspace(low, high, POINTS)
    below = np.array([math.erf((x - mean) / (std * math.sqrt(2.0))) for x in value.tolist()])
    return (below - below[0]) / (below[-1] - below[0]), value


def capped_pareto(
    shape: float, low_byte: float, high_byte: float, header_byte: float
) -> tuple[FloatArray, FloatArray]:
    """Levels and sizes over their mean: a Pareto payload, cut off at a largest one, and headers.

    F(x) = 1 - (low/x)^shape below the largest, which stands for all that would be larger. The mean
    payload is low + low/(shape - 1) (1 - (low/high)^(shape - 1)).
    """
    payload = np.geomspace(low_byte, high_byte, POINTS)
    level = 1.0 - (low_byte / payload) ** shape
    left = (low_byte / high_byte) ** (shape - 1.0)
    mean_byte = header_byte + low_byte + low_byte / (shape - 1.0) * (1.0 - left)
    size = np.append(payload, high_byte) + header_byte
    return np.append(level, 1.0), size / mean_byte
