"""Base stations against their own counters: later hours, other stations, other radio units."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tree6g.calibrate import station_constants, station_curves, station_model, station_words
from tree6g.calibrate.columns import read_all
from tree6g.calibrate.counter_files import read_counters
from tree6g.calibrate.result import (
    Fit,
    Group,
    Validation,
    percent,
    percentage_figures,
)
from tree6g.calibrate.station_model import Clocks, StationModel
from tree6g.calibrate.station_rows import Counters, Rows, counters, power_scale
from tree6g.errors import DataError
from tree6g.radio import fitted_station

FloatArray = NDArray[np.float64]
Mask = NDArray[np.bool_]

SAME: Final = "same"
UNSEEN: Final = "unseen"
UNSEEN_UNIT: Final = "unseen type of radio unit"
FIT_FRAC: Final = 0.7  # of the hours, the rest are predicted
DRAWS: Final = 5  # each leaves out a fifth of the stations, each station once
BARS: Final[Mapping[str, float]] = {SAME: 0.03, UNSEEN: 0.09}  # mean error to stay below
_MISS_FRAC: Final = 0.25  # a station whose mean error is larger is printed
_RESAMPLES: Final = 1000
_SEED: Final = 6


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """Predictions of one group of rows.

    Attributes:
        group: Name of the group.
        stations: Names by index.
        rows: What was measured.
        predicted: By the fitted model `[row]`.
        baselines: By simpler models `[row]`, by name.
        constants: How many fitted constants the predictions rest on.
        draw: Number of the draw of stations, None where there is one only.
    """

    group: str
    stations: tuple[str, ...]
    rows: Rows
    predicted: FloatArray
    baselines: Mapping[str, FloatArray]
    constants: int
    draw: int | None = None


def validate(files: Sequence[Path], *, fit: Path | None = None) -> Validation:
    """Predict the energy of base stations and compare it with their meters.

    Without `fit`, the folder is split: fitted up to 70 % of the hours, one cut for all stations,
    and predicted after it (`same`); fitted on 80 % of the stations and predicted for the others,
    five draws (`unseen`); fitted without each kind of radio unit and predicted for it. With
    `fit`, everything in that folder is fitted and everything in the files predicted: `same` are
    stations that were fitted, `unseen` the others.

    Clock offsets are found in the fitted part alone. A figure's interval is that of resampled
    stations, 95 %.

    Args:
        files: One folder, see `counter_files`.
        fit: A folder of the same form.

    Raises:
        DataError: A folder does not hold what it should, with all its faults.
    """
    if len(files) != 1:
        raise DataError(f"expected one folder of counters; got {len(files)} paths.")
    folders = read_all([*files, *(() if fit is None else (fit,))], read_counters)
    read, fitted_on = folders[0], folders[-1]
    scale, modes = power_scale(fitted_on), fitted_on.active_modes()
    tested = counters(read, scale=scale, modes=modes)
    problems = tested.problems
    if fit is None:
        clocks = station_model.read_clocks(tested)
        model = station_model.fit(tested, clocks)
        judged = [*_later(tested), *_drawn(tested, clocks), *_units(tested, clocks)]
    else:
        known = counters(fitted_on, scale=scale, modes=modes)
        model = station_model.fit(known, station_model.read_clocks(known))
        judged = [*_other_folder(known, tested, model)]
        problems += tuple(f"{fit}: {problem}" for problem in known.problems)
        problems += _overlap(known, tested)
    problems += _unpaired(tested, tested.paired(model.offsets_s(tested.stations)))
    return _validation(judged, model, problems, other_folder=fit is not None)


def fit(folder: Path) -> Fit:
    """Fit the model to all stations of a folder of counters.

    Constants: clock offsets by block of stations, then for each configuration the energy per
    interval at no load and what full load and each energy-saving mode add, in the unit of the
    file. Modes that only occur together are to be read together. Intervals: 95 %, from fits to
    resampled stations.

    Raises:
        DataError: The folder does not hold what it should, with all its faults.
    """
    read = read_counters(Path(folder))
    scale = power_scale(read)
    known = counters(read, scale=scale, modes=read.active_modes())
    model = station_model.fit(known, station_model.read_clocks(known))
    rows = known.paired(model.offsets_s(known.stations))
    predicted = _predicted(model, known, rows, own=False)
    error = percentage_figures(rows.energy, predicted)["mape_frac"]
    constants = (
        *station_constants.clocks(model),
        *station_constants.configurations(model, known, rows),
    )
    problems = known.problems + _unpaired(known, rows)
    if scale is None:
        problems += ("TXpower is no dBm in any reading: configurations are not scaled by it",)
    return Fit(
        kind="base-station",
        rows=len(rows),
        error=error,
        constants=constants,
        headline=f"Base stations: {model.shared_constants:,} constants of {len(model.index[-1]):,} "
        f"configurations fitted to {len(rows):,} hours of {len(model.fitted):,} stations; mean "
        f"error on the same hours {percent(error)}, with no constants of single stations.",
        problems=problems,
    )


def _predicted(model: StationModel, tested: Counters, rows: Rows, *, own: bool) -> FloatArray:
    constants = model.constants(tested.stations, own=own)
    return fitted_station.predict(rows.feature, constants[rows.station])


def _later(tested: Counters) -> Iterator[Judged]:
    """The hours after the cut, of stations with rows before it."""
    hours_s = np.unique(tested.energy_time_s)
    cut_s = int(hours_s[min(int(FIT_FRAC * len(hours_s)), len(hours_s) - 1)])
    model = station_model.fit(tested, station_model.read_clocks(tested, cut_s))
    all_rows = tested.paired(model.offsets_s(tested.stations))
    before, after = all_rows.where(all_rows.time_s < cut_s), all_rows.time_s >= cut_s
    rows = all_rows.where(after & np.isin(all_rows.station, np.unique(before.station)))
    if len(rows):
        yield _judged(SAME, model, tested, rows, tested, before)


def _drawn(tested: Counters, clocks: Clocks) -> Iterator[Judged]:
    """Stations left out at random, each once; those whose kind of radio unit is still fitted."""
    count = len(tested.stations.names)
    draw = np.random.default_rng(_SEED).permutation(count) % DRAWS
    for number in range(DRAWS if count >= DRAWS else 0):
        yield from _left_out(tested, clocks, draw != number, UNSEEN, number)


def _units(tested: Counters, clocks: Clocks) -> Iterator[Judged]:
    """Each kind of radio unit left out in turn."""
    units = np.array(tested.stations.radio_unit)
    kinds = np.unique(units)
    for kind in kinds if len(kinds) > 1 else ():
        yield from _left_out(tested, clocks, units != kind, UNSEEN_UNIT, None)


def _left_out(
    tested: Counters, clocks: Clocks, chosen: Mask, group: str, draw: int | None
) -> Iterator[Judged]:
    model = station_model.fit(tested, clocks, chosen, stations_too=False)
    all_rows = tested.paired(model.offsets_s(tested.stations))
    out = ~chosen[all_rows.station]
    if draw is not None:  # a kind that was not fitted is judged in a group of its own
        out &= _known_unit(model, tested)[all_rows.station]
    rows = all_rows.where(out)
    if len(rows):
        fitted = all_rows.where(chosen[all_rows.station])
        yield _judged(group, model, tested, rows, tested, fitted, draw)


def _other_folder(known: Counters, tested: Counters, model: StationModel) -> Iterator[Judged]:
    fitted = known.paired(model.offsets_s(known.stations))
    rows = tested.paired(model.offsets_s(tested.stations))
    same = np.array([name in model.fitted for name in tested.stations.names])
    unit = _known_unit(model, tested)
    for group, wanted in ((SAME, same), (UNSEEN, ~same & unit), (UNSEEN_UNIT, ~same & ~unit)):
        own = rows.where(wanted[rows.station])
        if len(own):
            yield _judged(group, model, tested, own, known, fitted)


def _unpaired(tested: Counters, rows: Rows) -> tuple[str, ...]:
    """How many energies cannot be compared, in a line that says so."""
    count, total = len(tested.energy) - len(rows), len(tested.energy)
    return (f"no load of the same hour: {count:,} of {total:,} energies left out",) if count else ()


def _overlap(known: Counters, tested: Counters) -> tuple[str, ...]:
    """Tested rows that were fitted as well, in a line that says so."""

    def rows(of: Counters) -> set[tuple[str, int]]:
        """Station and time of each row."""
        names = of.stations.names
        pairs = zip(of.energy_station.tolist(), of.energy_time_s.tolist(), strict=True)
        return {(names[station], time_s) for station, time_s in pairs}

    own = rows(tested)
    both = len(own & rows(known))
    if not both:
        return ()
    return (
        (
            f"{both:,} of {len(own):,} tested energies were fitted as well: their errors are "
            "those of a fit, not of a prediction"
        ),
    )


def _known_unit(model: StationModel, tested: Counters) -> Mask:
    return np.array([unit in model.radio_units for unit in tested.stations.radio_unit])


def _judged(
    group: str,
    model: StationModel,
    tested: Counters,
    rows: Rows,
    known: Counters,
    fitted: Rows,
    draw: int | None = None,
) -> Judged:
    own = group == SAME
    simpler = {
        name: station_model.with_features(model, known.stations, fitted, width)
        for name, width in (("constant", 1), ("affine in load", 3))
    }
    shared = model.shared_constants + len(model.clock) + len(model.alone)
    return Judged(
        group=group,
        stations=tested.stations.names,
        rows=rows,
        predicted=_predicted(model, tested, rows, own=own),
        baselines={n: _predicted(m, tested, rows, own=own) for n, m in simpler.items()},
        constants=shared + (model.station_constants if own else 0),
        draw=draw,
    )


def _validation(
    judged: Sequence[Judged],
    model: StationModel,
    problems: tuple[str, ...],
    *,
    other_folder: bool,
) -> Validation:
    if not judged:
        raise DataError("expected energies with a load of the same hour to predict; got none.")
    names = list(dict.fromkeys(j.group for j in judged))
    parts = {name: [j for j in judged if j.group == name] for name in names}
    draws = [j for j in judged if j.draw is not None]
    said = station_words.groups(other_folder=other_folder)
    groups = [_group(name, own, words=said[name]) for name, own in parts.items()]
    groups += [
        _group(f"{j.group}, draw {j.draw}", [j], words=f"draw {n}", interval=False)
        for n, j in enumerate(draws, start=1)
    ]
    missed = [
        f"{g.name}: mean error {g.figures['mape_frac']:.2%}, expected at most {BARS[g.name]:.0%}"
        for g in groups
        if g.figures["mape_frac"] > BARS.get(g.name, np.inf)
    ]
    first = groups[0]  # no mixture of groups: the figures of the first one that there is
    return Validation(
        kind="base-station",
        rows=_distinct(judged),
        title="Base stations",
        headline=station_words.headline(groups[: len(parts)], model.clock),
        about=station_words.about(BARS, groups[: len(parts)], other_folder=other_folder),
        fitted_constants=int(first.figures["fitted_constants"]),
        figures_of=first.name,
        figures={
            k: v for k, v in first.figures.items() if k not in ("fitted_constants", "stations")
        },
        groups=tuple(groups),
        baselines=tuple(
            b for name, own in parts.items() for b in _baselines(name, own, said[name])
        ),
        misses=tuple(_misses(judged)),
        misses_are=f"Stations with a mean error above {percent(_MISS_FRAC)}",
        constants=station_constants.clocks(model),
        problems=(*problems, *missed),
        plots=station_curves.plots({said[name]: _joined(own) for name, own in parts.items()}),
    )


def _distinct(judged: Sequence[Judged]) -> int:
    """Measured rows that were predicted, each counted once however often that was."""
    station = np.concatenate([j.rows.station for j in judged])
    time_s = np.concatenate([j.rows.time_s for j in judged])
    return len(np.unique(np.stack([station, time_s]), axis=1).T)


def _joined(judged: Sequence[Judged]) -> tuple[FloatArray, FloatArray]:
    """Measured and predicted energies of several judgements."""
    measured = np.concatenate([j.rows.energy for j in judged])
    return measured, np.concatenate([j.predicted for j in judged])


def _group(name: str, judged: Sequence[Judged], *, words: str = "", interval: bool = True) -> Group:
    measured, predicted = _joined(judged)
    figures = percentage_figures(measured, predicted)
    figures["fitted_constants"] = max(j.constants for j in judged)
    figures["stations"] = len({j.stations[s] for j in judged for s in np.unique(j.rows.station)})
    if interval:
        figures["mape_frac_low"], figures["mape_frac_high"] = _interval(judged)
    heading = "Errors by group" if interval else "Errors by draw of the stations never seen"
    return Group(name=name, rows=len(measured), figures=figures, words=words, heading=heading)


def _interval(judged: Sequence[Judged]) -> tuple[float, float]:
    """Where the mean error lies in 95 % of resamples of whole stations."""
    error = np.concatenate([np.abs(j.predicted - j.rows.energy) / j.rows.energy for j in judged])
    names = np.concatenate([np.array(j.stations)[j.rows.station] for j in judged])
    _, station = np.unique(names, return_inverse=True)
    rows, total = np.bincount(station), np.bincount(station, weights=error)
    rng = np.random.default_rng(_SEED)
    drawn = rng.integers(len(rows), size=(_RESAMPLES, len(rows)))
    means = total[drawn].sum(axis=1) / rows[drawn].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def _baselines(name: str, judged: Sequence[Judged], words: str) -> Iterator[Group]:
    measured, _ = _joined(judged)
    for baseline in judged[0].baselines:
        predicted = np.concatenate([j.baselines[baseline] for j in judged])
        figures = percentage_figures(measured, predicted)
        yield Group(
            name=f"{name}: {baseline}",
            rows=len(measured),
            figures=figures,
            words=f"{words}: {baseline}",
        )


def _misses(judged: Sequence[Judged]) -> list[dict[str, Any]]:
    """Stations that are far off, by group, the farthest first."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for j in judged:
        error = np.abs(j.predicted - j.rows.energy) / j.rows.energy
        rows = np.bincount(j.rows.station, minlength=len(j.stations))
        total = np.bincount(j.rows.station, weights=error, minlength=len(j.stations))
        for s in np.flatnonzero(total > _MISS_FRAC * np.maximum(rows, 1)):
            key = (j.group, j.stations[s])
            mape = float(total[s] / rows[s])
            found[key] = {
                "group": key[0],
                "station": key[1],
                "rows": int(rows[s]),
                "mape_frac": mape,
            }
    order = {name: i for i, name in enumerate((SAME, UNSEEN, UNSEEN_UNIT))}
    return sorted(found.values(), key=lambda m: (order[m["group"]], -float(m["mape_frac"])))
