"""Coupling gain, SIR and SINR against the large-scale calibration of 3GPP's companies.

The file holds, for every scenario and percentile, the companies' mean, least and greatest value:
R1-165974 (21 companies; UMi, UMa and offices at 6, 30 and 70 GHz) and R1-2506406 (Release 19: UMa,
UMi and SMa at 7 GHz, UMa and UMi at 6 GHz) in the columns `scenario`, `cdf_percent` and
`<metric>_mean`, `<metric>_min`, `<metric>_max`. No constant of the models was fitted to them.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tree6g.calibrate.columns import Columns, raise_all, read_all, read_columns
from tree6g.calibrate.result import Curve, Group, Plot, Validation, percent
from tree6g.calibrate.setup import METRICS, Setup, percentiles_db, release_of, setup
from tree6g.errors import DataError
from tree6g.radio.pathloss import FloatArray

SEEDS: Final = 5
DROPS: Final = 20
PERCENT: Final = tuple(float(p) for p in range(5, 100, 5))
# What must hold for every seed: share inside the range, distance from it, mean distance from mean
INSIDE_FRAC: Final = 0.98
OUTSIDE_DB: Final = 0.5
DEVIATION_DB: Final = 0.5
EDGES: Final = ("mean", "min", "max")
LABEL: Final = {"coupling_gain_db": "coupling gain", "sir_db": "SIR", "sinr_db": "SINR"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Band:
    """One metric of one scenario: the companies' values and ours.

    Attributes:
        scenario: Name in the file.
        metric: One of `METRICS`.
        percent: Percentiles that the file has. [percentile]
        mean_db: Mean of the companies. [percentile]
        low_db: Least. [percentile]
        high_db: Greatest. [percentile]
        ours_db: Our values. [seed, percentile]
    """

    scenario: str
    metric: str
    percent: FloatArray
    mean_db: FloatArray
    low_db: FloatArray
    high_db: FloatArray
    ours_db: FloatArray

    @property
    def outside_db(self) -> FloatArray:
        """How far outside the range, 0 inside. [seed, percentile]."""
        beyond = np.maximum(self.low_db - self.ours_db, self.ours_db - self.high_db)
        return np.maximum(beyond, 0.0)

    @property
    def deviation_db(self) -> FloatArray:
        """Distance from the mean of the companies. [seed, percentile]."""
        return self.ours_db - self.mean_db


def validate(
    files: Sequence[Path],
    *,
    seeds: int = SEEDS,
    drops: int = DROPS,
    progress: Callable[[float, str], None] | None = None,
) -> Validation:
    """Compare our curves with the companies', each seed by itself.

    Figures: `inside_range_frac`, `mean_abs_error` and `max_abs_error` (dB, from the companies'
    mean), `max_outside_db`, each over all seeds; the same in groups by seed and by curve. A row is
    a percentile of a curve.

    Args:
        files: Files of reference curves.
        seeds: Number of fixed seeds, 0, 1, ....
        drops: Drops that are averaged for each seed.
        progress: Is told how much is done, after each scenario.

    Raises:
        DataError: A file is not of this form, or names scenarios that are not known; or there is no
            file, seed or drop.
    """
    if not files or seeds < 1 or drops < 1:
        raise DataError(
            f"Expected at least one file, seed and drop; got {len(files)}, {seeds} and {drops}. "
            "Give one of each or more."
        )
    known = read_all(files, _cases)
    total, bands = sum(len(file.cases) for file in known), list[Band]()
    done = 0
    for file in known:
        for name in file.cases:
            bands += _bands(file, name, seeds, drops)
            done += 1
            if progress is not None:
                progress(done / total, f"calibration, {name}")
    if not bands:
        raise DataError("Expected values at cdf_percent 5, 10, ..., 95; got blanks alone.")
    by_seed = [_group(f"seed {n}", bands, n, heading="Errors by seed") for n in range(seeds)]
    by_curve = [_group(f"{b.scenario} {LABEL[b.metric]}", [b]) for b in bands]
    whole = _group("all", bands)
    return Validation(
        kind="calibration",
        rows=whole.rows,
        title="Calibration",
        headline=_headline(whole, by_seed),
        about=_about(seeds, drops),
        unit="db",
        figures=whole.figures,
        groups=(*by_seed, *by_curve),
        misses=tuple(miss for band in bands for miss in _misses(band)),
        misses_are="Percentiles outside the companies' range",
        problems=tuple(problem for group in by_seed for problem in _problems(group)),
        plots=_plots(bands),
    )


def _headline(whole: Group, by_seed: Sequence[Group]) -> str:
    """How many percentiles of each seed are inside, and how far we are from the mean."""
    inside = sorted({round(g.rows * g.figures["inside_range_frac"]) for g in by_seed})
    count = " to ".join(f"{n:,}" for n in dict.fromkeys((inside[0], inside[-1])))
    seeds = f"for each of {len(by_seed)} seeds" if len(by_seed) > 1 else "with one seed"
    return (
        f"Calibration: {count} of {whole.rows:,} percentiles inside the companies' range {seeds}; "
        f"deviation from their mean {whole.figures['mean_abs_error']:.2f} dB on average, "
        f"{whole.figures['max_abs_error']:.2f} dB at most."
    )


def _about(seeds: int, drops: int) -> tuple[str, ...]:
    return (
        (
            "Compared: percentiles of coupling gain, SIR and SINR over the terminals of a "
            "network with those that the companies of 3GPP found when they calibrated their own "
            f"simulators. Ours are averages of {drops} random drops of terminals, once for each "
            f"seed ({seeds})."
        ),
        (
            f"Passes: every seed with {percent(INSIDE_FRAC)} or more of its percentiles inside the "
            f"range from the least to the greatest company, none more than {OUTSIDE_DB} dB "
            f"outside, and at most {DEVIATION_DB} dB from the companies' mean on average."
        ),
        (
            "Fitted: nothing. Propagation, antennas and layouts are those of TR 38.901 and of the "
            "calibration's own assumptions."
        ),
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _File:
    """What a file asks for: its table, metrics, and the set-up of each scenario."""

    table: Columns
    metrics: tuple[str, ...]
    cases: Mapping[str, Setup]


def _cases(file: Path) -> _File:
    """Read a file and find the set-ups that it names."""
    table, metrics = _read(file)
    names = list(dict.fromkeys(table.text["scenario"]))
    glass = release_of(names)
    cases = {name: setup(name, glass=glass) for name in names}
    unknown = [_unknown(name) for name, case in cases.items() if case is None]
    raise_all(file, [*unknown, *_disordered(table, metrics)])
    if not np.isin(table.number["cdf_percent"], PERCENT).any():
        raise DataError(
            f"Expected rows at cdf_percent 5, 10, ..., 95; {file} has none. Give its percentiles "
            "in percent."
        )
    known = {name: case for name, case in cases.items() if case is not None}
    return _File(table=table, metrics=tuple(metrics), cases=known)


def _disordered(table: Columns, metrics: Sequence[str]) -> list[str]:
    """Rows whose mean is not between least and greatest."""
    faults = []
    for metric in metrics:
        mean_db, low_db, high_db = (table.number[f"{metric}_{edge}"] for edge in EDGES)
        faults += [
            f"line {n + 2}: {metric} must have min <= mean <= max; got {low_db[n]:g}, "
            f"{mean_db[n]:g}, {high_db[n]:g}"
            for n in np.flatnonzero((low_db > mean_db) | (mean_db > high_db))
        ]
    return faults


def _bands(file: _File, name: str, seeds: int, drops: int) -> list[Band]:
    """Simulate one scenario of a file."""
    wanted = np.isin(file.table.number["cdf_percent"], PERCENT)
    rows = np.flatnonzero((np.array(file.table.text["scenario"]) == name) & wanted)
    if not rows.size:
        return []
    at, case = file.table.number["cdf_percent"][rows], file.cases[name]
    ours_db = np.stack(
        [percentiles_db(case, _generator(name, n), percent=at, drops=drops) for n in range(seeds)]
    )  # [seed, metric, percentile]
    each = [_band(file.table, name, m, rows, ours_db[:, METRICS.index(m)]) for m in file.metrics]
    return [band for band in each if band.percent.size]


def _read(file: Path) -> tuple[Columns, list[str]]:
    """The table, and the metrics that it has all three columns of."""
    names = {metric: [f"{metric}_{edge}" for edge in EDGES] for metric in METRICS}
    columns = [name for each in names.values() for name in each]
    table = read_columns(file, ("scenario",), ("cdf_percent",), optional=columns)
    metrics = [metric for metric, each in names.items() if table.number.keys() >= set(each)]
    if not metrics:
        raise DataError(
            f"Expected the columns {', '.join(columns[:3])} or those of SIR or SINR; {file} has "
            "none of the three. Rename its columns."
        )
    return table, metrics


def _band(
    table: Columns, scenario: str, metric: str, rows: npt.NDArray[np.intp], ours_db: FloatArray
) -> Band:
    """One metric of one scenario, without the rows that have no value for it."""
    edges = np.stack([table.number[f"{metric}_{edge}"][rows] for edge in EDGES])
    known = np.isfinite(edges).all(axis=0)
    mean_db, low_db, high_db = edges[:, known]
    return Band(
        scenario=scenario,
        metric=metric,
        percent=table.number["cdf_percent"][rows][known],
        mean_db=mean_db,
        low_db=low_db,
        high_db=high_db,
        ours_db=ours_db[:, known],
    )


def _generator(name: str, seed: int) -> np.random.Generator:
    """One stream per scenario and seed, whatever else stands in the file."""
    return np.random.default_rng([seed, zlib.crc32(name.strip().lower().encode())])


def _unknown(name: str) -> str:
    return (
        "scenario must be UMi-, UMa-, Indoor- or SMa- and a frequency of 0.5 to 100 GHz "
        f"(UMi-6GHz, SMa-7GHz-1299m); got '{name}'"
    )


def _group(
    name: str, bands: Sequence[Band], seed: int | None = None, *, heading: str = ""
) -> Group:
    pick = slice(None) if seed is None else slice(seed, seed + 1)
    outside_db = np.concatenate([band.outside_db[pick].ravel() for band in bands])
    away_db = np.abs(np.concatenate([band.deviation_db[pick].ravel() for band in bands]))
    rows = sum(band.percent.size for band in bands)
    figures = {
        "inside_range_frac": float((outside_db == 0.0).mean()),
        "mean_abs_error": float(away_db.mean()),
        "max_abs_error": float(away_db.max()),
        "max_outside_db": float(outside_db.max()),
    }
    heading = heading or "Errors by scenario and quantity"
    return Group(name=name, rows=rows, figures=figures, heading=heading)


def _problems(group: Group) -> list[str]:
    """Bars that a seed does not reach."""
    figures = group.figures
    bars = (
        (figures["inside_range_frac"] < INSIDE_FRAC, "inside_range_frac", f">= {INSIDE_FRAC}"),
        (figures["max_outside_db"] > OUTSIDE_DB, "max_outside_db", f"<= {OUTSIDE_DB} dB"),
        (figures["mean_abs_error"] > DEVIATION_DB, "mean_abs_error", f"<= {DEVIATION_DB} dB"),
    )
    return [
        f"{group.name}: {name} must be {bar}; it is {figures[name]:.3f}"
        for missed, name, bar in bars
        if missed
    ]


def _misses(band: Band) -> list[Mapping[str, Any]]:
    outside_db = band.outside_db
    return [
        {
            "scenario": band.scenario,
            "metric": band.metric,
            "cdf_percent": float(band.percent[at]),
            "seed": int(seed),
            "ours_db": float(band.ours_db[seed, at]),
            "low_db": float(band.low_db[at]),
            "high_db": float(band.high_db[at]),
            "outside_db": float(outside_db[seed, at]),
        }
        for seed, at in zip(*np.nonzero(outside_db), strict=True)
    ]


def _plots(bands: Sequence[Band]) -> tuple[Plot, ...]:
    """Our curves on the companies' range, and what both are above the companies' mean."""
    columns = len(dict.fromkeys(band.metric for band in bands))
    words = "Each panel is one quantity of one scenario. Our line stays inside the grey band where "
    words += "it passes: the band reaches from the least to the greatest company, dashes are their "
    return (
        Plot(
            name="calibration-curves",
            title="Our distributions on the range of the companies",
            reads=f"{words}mean. To the right, terminals with better links.",
            x_label="terminals below (%)",
            y_label="value (dB)",
            curves=tuple(_curve(band, 0.0 * band.mean_db) for band in bands),
            columns=columns,
            reference="mean of the companies",
            accepted="from the least to the greatest company",
        ),
        Plot(
            name="calibration-deviations",
            title="Our distributions less the mean of the companies",
            reads=f"{words}mean, here taken off everything, which shows small distances.",
            x_label="terminals below (%)",
            y_label="above the mean of the companies (dB)",
            curves=tuple(_curve(band, band.mean_db) for band in bands),
            columns=columns,
            reference="mean of the companies",
            accepted="from the least to the greatest company",
        ),
    )


def _curve(band: Band, less_db: FloatArray) -> Curve:
    """Our mean over the seeds on the companies' band, over the percentiles, less some value."""
    order = np.argsort(band.percent)
    ours_db = band.ours_db.mean(axis=0)
    short = {"coupling_gain_db": "gain"}.get(band.metric, LABEL[band.metric])
    return Curve(
        panel=f"{band.scenario}: {short}",
        name="tree6g, mean of the seeds",
        x=band.percent[order],
        y=(ours_db - less_db)[order],
        reference=(band.mean_db - less_db)[order],
        low=(band.low_db - less_db)[order],
        high=(band.high_db - less_db)[order],
    )
