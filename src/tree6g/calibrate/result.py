"""What a validation or a fit returns: figures by group, baselines, misses, curves to draw.

Figures carry these names where they apply: `mape_frac` (mean absolute percentage error),
`median_ape_frac`, `p90_ape_frac`, `within_25_frac` (share of rows within 25 %), `max_abs_error`,
`mean_abs_error` (in the unit of the compared quantity) and `inside_range_frac`. An interval of a
figure stands beside it as `<figure>_low` and `<figure>_high`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tree6g.calibrate.overlay import Overlay

FloatArray = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """A fitted constant with its interval; None where the data give none.

    Attributes:
        name: What it is, with the suffix of its unit where it has one.
        value: The constant.
        low: Lower end of its interval.
        high: Upper end of it.
        words: The constant as a sentence for people; empty where name and value say it.
        remark: What to know of it beside its value, for instance that the data hardly tell it.
    """

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    words: str = ""
    remark: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The constant under the keys of `--json`."""
        said = {"remark": self.remark} if self.remark else {}
        interval = {"low": self.low, "high": self.high}
        return {"name": self.name, "value": self.value, **interval, **said}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Rows that are judged together, and the figures of that judgement.

    Attributes:
        name: Short name, the same in every result.
        rows: How many rows.
        figures: Errors and counts by name.
        words: The name in plain words, empty where it needs none.
        heading: Heading of the table that the group stands in.
    """

    name: str
    rows: int
    figures: Mapping[str, float]
    words: str = ""
    heading: str = "Errors by group"

    def to_dict(self) -> dict[str, Any]:
        """The group under the keys of `--json`."""
        return {"name": self.name, "rows": self.rows, **self.figures}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curve:
    """One line or cloud of a plot; curves of the same `panel` share its axes.

    Attributes:
        panel: Heading of the axes the curve stands in.
        name: What the curve is, for the key.
        x: Abscissae `[point]`.
        y: Our values `[point]`.
        reference: The values to be met `[point]`, None where there is no such line.
        low: Lower edge of the accepted range `[point]`, None without a range.
        high: Upper edge of it.
        form: `line`, or `points` for a cloud.
    """

    panel: str
    name: str
    x: FloatArray
    y: FloatArray
    reference: FloatArray | None = None
    low: FloatArray | None = None
    high: FloatArray | None = None
    form: Literal["line", "points"] = "line"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plot:
    """One figure: panels side by side and below each other.

    Attributes:
        name: Stem of its files.
        title: What it shows.
        reads: How it is read, in a sentence or two.
        x_label: Words under the axes, with the unit.
        y_label: Words beside the axes, with the unit.
        curves: What is drawn, panel by panel.
        columns: Panels side by side.
        reference: What the reference line is.
        accepted: What the range is.
        log_x: Whether abscissae are spaced by their logarithm.
        log_y: Whether ordinates are.
    """

    name: str
    title: str
    reads: str
    x_label: str
    y_label: str
    curves: tuple[Curve, ...]
    columns: int = 1
    reference: str = "reference"
    accepted: str = "accepted range"
    log_x: bool = False
    log_y: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Validation:
    """A model compared with data.

    Attributes:
        kind: What was compared: `pathloss`, `calibration`, `base-station`, `bler`, ...
        rows: Rows of the data that were compared, each counted once.
        title: The kind in words.
        headline: The outcome in one sentence, with units.
        about: What was compared with what, what passes, what was fitted to what: a paragraph each.
        unit: Suffix of the unit of absolute errors: `db`, `frac`; empty for the unit of the file.
        fitted_constants: How many constants that were fitted to data of this kind `figures` rest
            on; 0 for a standard.
        figures_of: Name of the group that `figures` are of; `all` for all rows.
        figures: The errors of that group.
        groups: The same by group.
        baselines: What simpler models reach on the same rows.
        misses: Rows outside the accepted range or bar, each with what identifies it.
        misses_are: What those rows are, as a heading.
        constants: Constants worth printing, for instance a clock offset that was found.
        problems: What stands against the result: rows left out and why, bars not met.
        plots: The figures.
    """

    kind: str
    rows: int
    title: str = ""
    headline: str = ""
    about: tuple[str, ...] = ()
    unit: Literal["db", "frac", ""] = ""
    fitted_constants: int = 0
    figures_of: str = "all"
    figures: Mapping[str, float] = dataclasses.field(default_factory=dict)
    groups: tuple[Group, ...] = ()
    baselines: tuple[Group, ...] = ()
    misses: tuple[Mapping[str, Any], ...] = ()
    misses_are: str = "Rows outside the accepted range"
    constants: tuple[Constant, ...] = ()
    problems: tuple[str, ...] = ()
    plots: tuple[Plot, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """All but the figures, under the keys of `--json`."""
        return {
            "kind": self.kind,
            "headline": self.headline,
            "rows": self.rows,
            "fitted_constants": self.fitted_constants,
            "figures_of": self.figures_of,
            "error_unit": {"db": "dB", "frac": "1", "": "unit of the file"}[self.unit],
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
        error: Mean absolute percentage error on the fitted rows, as a fraction; of a load that is
            made for the fit, on runs left out of it; None: not known.
        headline: The outcome in one sentence.
        constants: The fitted constants, with intervals where the data give them. Those of one
            thing carry its name, a colon and a blank in front of their own.
        problems: Rows left out and why, and what makes a constant doubtful.
        table: The constants as text that other commands read, CSV or YAML; may be empty.
        errors: What was fitted laid over the data, in time that the fit did not see.
    """

    kind: str
    rows: int
    error: float | None
    constants: tuple[Constant, ...]
    headline: str = ""
    problems: tuple[str, ...] = ()
    table: str = ""
    errors: Overlay | None = None

    def to_dict(self) -> dict[str, Any]:
        """The fit under the keys of `--json`."""
        beside = {} if self.errors is None else {"errors": self.errors.to_dict()}
        return {
            **beside,
            "kind": self.kind,
            "headline": self.headline,
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


def percent(frac: float) -> str:
    """A share in words of a headline.

    >>> percent(0.0124), percent(0.214)
    ('1.2 %', '21 %')
    """
    value = 100.0 * frac
    return f"{value:.0f} %" if value >= 9.95 else f"{value:.1f} %"
