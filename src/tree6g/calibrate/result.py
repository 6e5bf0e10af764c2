"""What a validation or a fit returns: figures by group, baselines, misses, curves to draw.

Figures carry these names where they apply: `mape_frac` (mean absolute percentage error),
`median_ape_frac`, `p90_ape_frac`, `within_25_frac` (share of rows within 25 %), `max_abs_error`,
`mean_abs_error` (in the unit of the compared quantity) and `inside_range_frac`. An interval of a
figure stands beside it as `<figure>_low` and `<figure>_high`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """A fitted constant with its interval; None where the data give none."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """The constant under the keys of `--json`."""
        return {"name": self.name, "value": self.value, "low": self.low, "high": self.high}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Rows that are judged together, and the figures of that judgement."""

    name: str
    rows: int
    figures: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """The group under the keys of `--json`."""
        return {"name": self.name, "rows": self.rows, **self.figures}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curve:
    """One line or cloud of a figure; curves of the same `panel` share its axes.

    Attributes:
        panel: Heading of the axes the curve stands in.
        name: What the curve is, for the key.
        x_label: Words under the axis, with the unit.
        y_label: Words beside the axis, with the unit.
        x: Abscissae `[point]`.
        y: Our values `[point]`.
        reference: The values to be met `[point]`, None where there is no such line.
        low: Lower edge of the accepted range `[point]`, None without a range.
        high: Upper edge of it.
        form: `line`, or `points` for a cloud.
    """

    panel: str
    name: str
    x_label: str
    y_label: str
    x: FloatArray
    y: FloatArray
    reference: FloatArray | None = None
    low: FloatArray | None = None
    high: FloatArray | None = None
    form: Literal["line", "points"] = "line"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Validation:
    """A model compared with data.

    Attributes:
        kind: What was compared: `pathloss`, `calibration`, `base-station`, `bler`, ...
        rows: Rows of the data that were compared.
        fitted_constants: How many constants were fitted to data of this kind; 0 for a standard.
        figures: Error over all rows.
        groups: The same by group.
        baselines: What simpler models reach on the same rows.
        misses: Rows outside the accepted range or bar, each with what identifies it.
        constants: Constants worth printing, for instance a clock offset that was found.
        problems: What stands against the result: rows left out and why, bars not met.
        curves: What the figures draw.
    """

    kind: str
    rows: int
    fitted_constants: int = 0
    figures: Mapping[str, float] = dataclasses.field(default_factory=dict)
    groups: tuple[Group, ...] = ()
    baselines: tuple[Group, ...] = ()
    misses: tuple[Mapping[str, Any], ...] = ()
    constants: tuple[Constant, ...] = ()
    problems: tuple[str, ...] = ()
    curves: tuple[Curve, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """All but the curves, under the keys of `--json`."""
        return {
            "kind": self.kind,
            "rows": self.rows,
            "fitted_constants": self.fitted_constants,
            **self.figures,
            "groups": [group.to_dict() for group in self.groups],
            "baselines": [group.to_dict() for group in self.baselines],
            "misses": [dict(miss) for miss in self.misses],
            "constants": [constant.to_dict() for constant in self.constants],
            "problems": list(self.problems),
        }


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Constants fitted to data: what `tree6g fit` returns.

    Attributes:
        kind: What was fitted.
        rows: Rows of the data that were used.
        error: Mean absolute percentage error on the fitted rows, as a fraction.
        constants: The fitted constants, with intervals where the data give them.
        problems: Rows left out and why, and what makes a constant doubtful.
    """

    kind: str
    rows: int
    error: float
    constants: tuple[Constant, ...]
    problems: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The fit under the keys of `--json`."""
        return {
            "kind": self.kind,
            "constants": [constant.to_dict() for constant in self.constants],
            "rows": self.rows,
            "error": self.error,
            "problems": list(self.problems),
        }


def percentage_figures(
    measured: FloatArray, predicted: FloatArray, *, quantiles: bool = True
) -> dict[str, float]:
    """Percentage errors of predictions `[row]` of positive measured values `[row]`.

    >>> percentage_figures(np.array([10.0, 20.0]), np.array([11.0, 20.0]))["mape_frac"]
    0.05
    """
    if not measured.size:
        return {}
    ape_frac = np.abs(predicted - measured) / np.abs(measured)
    figures = {"mape_frac": float(ape_frac.mean())}
    if quantiles:
        figures |= {
            "median_ape_frac": float(np.median(ape_frac)),
            "p90_ape_frac": float(np.quantile(ape_frac, 0.9)),
            "within_25_frac": float((ape_frac <= 0.25).mean()),
            "max_abs_error": float(np.abs(predicted - measured).max()),
        }
    return figures
