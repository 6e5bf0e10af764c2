"""Curves of a validation of base stations: predicted over measured, and how many are how good."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tree6g.calibrate import station_words
from tree6g.calibrate.result import Curve, Plot

FloatArray = NDArray[np.float64]

_DRAWN_POINTS: Final = 600


def plots(groups: Mapping[str, tuple[FloatArray, FloatArray]]) -> tuple[Plot, ...]:
    """The figures of measured and predicted energies `[row]`, by the words of their group."""
    cloud = [_cloud(name, *values) for name, values in groups.items()]
    share = [_share(name, *values) for name, values in groups.items()]
    return station_words.plots(cloud, share)


def _cloud(name: str, measured: FloatArray, predicted: FloatArray) -> Curve:
    """Predicted over measured, some rows of all."""
    some = np.linspace(0, len(measured) - 1, min(len(measured), _DRAWN_POINTS)).astype(int)
    order = some[np.argsort(measured[some])]
    return Curve(
        panel=name,
        name="an hour of a station",
        x=measured[order],
        y=predicted[order],
        reference=measured[order],
        form="points",
    )


def _share(name: str, measured: FloatArray, predicted: FloatArray) -> Curve:
    """The share of rows below each error."""
    share = np.linspace(0.0, 0.99, 100)
    error = 100.0 * np.quantile(np.abs(predicted - measured) / measured, share)
    return Curve(panel="", name=name, x=error, y=100.0 * share)
