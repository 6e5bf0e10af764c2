"""The base-station model fitted to counters: clock offsets, shared constants, stations' own."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from tree6g.calibrate import clock
from tree6g.calibrate.station_rows import Counters, Rows, Stations
from tree6g.errors import DataError
from tree6g.radio import fitted_station
from tree6g.radio.fitted_station import GroupConstants

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Mask = NDArray[np.bool_]

OFFSETS = (-2, -1, 0, 1, 2)  # in intervals
_MIN_ROWS = 16  # below it an offset cannot be told from chance
_SEED = 6
_SURPRISE = 3.0  # evidence that it takes to believe in an offset at all


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clocks:
    """How well each station's energy follows its load at each offset of `OFFSETS`.

    Attributes:
        misfit: Mean absolute relative error of the station's own fit `[station, offset]`, NaN
            where rows are too few.
        rows: Rows behind it `[station]`.
        step_s: Length of an interval.
        until_s: Energies stamped from here on were not looked at.
    """

    misfit: FloatArray
    rows: IntArray
    step_s: int
    until_s: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ClockBlock:
    """Stations in a row of names whose energy stamped t belongs to the load stamped t + offset."""

    first: str
    last: str
    stations: int
    offset_s: int
    agreeing: int  # stations whose own best offset is this one
    telling: int  # stations with enough rows to have one


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StationModel:
    """Constants of a fit, found again by the names of groups and stations.

    Attributes:
        groups: Constants by level.
        index: Number of each label, one mapping per level.
        own: Constants of each fitted station, by name; empty if only groups were asked for.
        fitted: Names of the fitted stations.
        radio_units: Kinds of radio unit that were fitted.
        clock: Clock offsets found, in the order of the names.
        alone: Offsets of single stations that clearly differ from their block's, by name.
        rows: How many rows were fitted.
        shared_constants: Constants of the configurations that rows speak for.
        station_constants: The same of the stations.
    """

    groups: GroupConstants
    index: tuple[dict[str, int], ...]
    own: dict[str, FloatArray]
    fitted: frozenset[str]
    radio_units: frozenset[str]
    clock: tuple[ClockBlock, ...]
    alone: dict[str, int]
    rows: int
    shared_constants: int
    station_constants: int

    def offsets_s(self, stations: Stations) -> IntArray:
        """Clock offset of each station: its own, else that of the block its name falls in."""
        ends = [clock.name_order(block.last) for block in self.clock]
        found = []
        for name in stations.names:
            key = clock.name_order(name)
            at = next((i for i, end in enumerate(ends) if key <= end), len(ends) - 1)
            found.append(self.alone.get(name, self.clock[at].offset_s))
        return np.array(found, dtype=np.int64)

    def constants(self, stations: Stations, *, own: bool = True) -> FloatArray:
        """Constants `[station, feature]`: its own where it was fitted, else of its groups."""
        level = _levels(stations, self.index)
        shared = self.groups.of(level)
        if own:
            for i, name in enumerate(stations.names):
                shared[i] = self.own.get(name, shared[i])
        return shared


def fit(
    counters: Counters,
    clocks: Clocks,
    wanted: Mask | None = None,
    *,
    stations_too: bool = True,
) -> StationModel:
    """Fit the model to the rows of wanted stations, up to the time that the clocks were read to.

    Args:
        counters: The counters.
        clocks: What each station says of its clock, see `read_clocks`.
        wanted: Which stations to fit `[station]`; None for all.
        stations_too: Fit constants of single stations, beside those of groups.

    Raises:
        DataError: No energy has a load beside it.
    """
    stations = counters.stations
    chosen = np.ones(len(stations.names), dtype=bool) if wanted is None else wanted
    offset_s, blocks, alone = clock_offsets(stations, clocks, chosen)
    rows = counters.paired(offset_s)
    rows = rows.where(chosen[rows.station] & (rows.time_s < clocks.until_s))
    if not len(rows):
        raise DataError("expected energies with a load of the same hour; got none to fit.")
    groups, index = _shared(stations, rows)
    level = _levels(stations, index)
    seen = np.unique(rows.station)
    return StationModel(
        groups=groups,
        index=index,
        own=_own(stations, rows, groups.of(level)) if stations_too else {},
        fitted=frozenset(stations.names[s] for s in seen),
        radio_units=frozenset(stations.radio_unit[s] for s in seen),
        clock=blocks,
        alone=alone,
        rows=len(rows),
        shared_constants=_active(rows, level[:, -1][rows.station]),
        station_constants=_active(rows, rows.station),
    )


def with_features(model: StationModel, stations: Stations, rows: Rows, width: int) -> StationModel:
    """The same fit with the first factors of the model alone: a baseline.

    Args:
        model: The fit.
        stations: Stations that were fitted.
        rows: Rows that were fitted.
        width: How many factors: 1 is a constant, 3 is affine in load.
    """
    narrow = np.zeros_like(rows.feature)
    narrow[:, :width] = rows.feature[:, :width]
    fewer = dataclasses.replace(rows, feature=narrow)
    groups, index = _shared(stations, fewer)
    own = _own(stations, fewer, groups.of(_levels(stations, index))) if model.own else {}
    return dataclasses.replace(model, groups=groups, index=index, own=own)


def resampled(model: StationModel, stations: Stations, rows: Rows, fits: int) -> FloatArray:
    """Constants of groups `[fit, station, feature]` when stations are drawn with replacement."""
    level = _levels(stations, model.index)
    seen = np.unique(rows.station)
    found = []
    for fit_number in range(fits):
        rng = np.random.default_rng([_SEED, fit_number])
        drawn = rng.choice(seen, size=len(seen))
        count = np.bincount(drawn, minlength=len(stations.names)).astype(np.float64)
        shared = fitted_station.fit_groups(
            rows.feature, rows.energy, rows.station, level, count=count
        )
        found.append(shared.of(level))
    return np.array(found)


def _shared(stations: Stations, rows: Rows) -> tuple[GroupConstants, tuple[dict[str, int], ...]]:
    """Constants of groups and the groups' numbers."""
    index = _index(stations, rows.station)
    level = _levels(stations, index)
    return fitted_station.fit_groups(rows.feature, rows.energy, rows.station, level), index


def _own(stations: Stations, rows: Rows, prior: FloatArray) -> dict[str, FloatArray]:
    """Constants of fitted stations by name."""
    own = fitted_station.fit_stations(rows.feature, rows.energy, rows.station, prior)
    return {stations.names[s]: own[s] for s in np.unique(rows.station)}


def read_clocks(counters: Counters, until_s: int | None = None) -> Clocks:
    """Fit each station alone at each offset.

    Args:
        counters: The counters.
        until_s: Only energies stamped before it, None for all.
    """
    none = np.zeros(len(counters.stations.names), dtype=np.int64)
    end_s = int(counters.energy_time_s.max()) + 1 if until_s is None else until_s
    misfit = np.full((len(none), len(OFFSETS)), np.nan)
    count = none.copy()
    for i, offset in enumerate(OFFSETS):
        rows = counters.paired(none + offset * counters.hours.step_s)
        misfit[:, i], count = _misfit(rows.where(rows.time_s < end_s), len(none))
    return Clocks(misfit=misfit, rows=count, step_s=counters.hours.step_s, until_s=end_s)


def clock_offsets(
    stations: Stations, clocks: Clocks, chosen: Mask
) -> tuple[IntArray, tuple[ClockBlock, ...], dict[str, int]]:
    """Offset of each station's energy stamps, the blocks that share one, and the exceptions.

    Stations that are not chosen say nothing; they get the offset of their neighbours.
    """
    told = clocks.misfit.copy()
    told[~chosen] = np.nan
    score = clock.evidence(told, clocks.rows)
    score[0, np.array(OFFSETS) != 0] -= _SURPRISE
    path = clock.blocks(score)
    blocks = _blocks(stations, told, path, clocks.step_s)
    own = clock.exceptions(told, path)
    offset_s = np.array(OFFSETS)[own] * clocks.step_s
    alone = {stations.names[s]: int(offset_s[s]) for s in np.flatnonzero(own != path)}
    return offset_s, blocks, alone


def _misfit(rows: Rows, stations: int) -> tuple[FloatArray, IntArray]:
    """Mean absolute relative error of each station's own fit, NaN where rows are too few."""
    count = np.bincount(rows.station, minlength=stations)
    misfit = np.full(stations, np.nan)
    if len(rows):
        own = fitted_station.station_misfit(rows.feature, rows.energy, rows.station)
        misfit[: len(own)] = own
    misfit[count < _MIN_ROWS] = np.nan
    return misfit, count


def _blocks(
    stations: Stations, misfit: FloatArray, path: IntArray, step_s: int
) -> tuple[ClockBlock, ...]:
    """Runs of one offset, each with how many of its fitted stations would choose it alone."""
    known = np.isfinite(misfit).all(axis=1).reshape(-1, 1)
    told = known.ravel()
    best = np.argmin(np.where(known, misfit, 0.0), axis=1)
    starts = np.flatnonzero(np.diff(path, prepend=-1))
    blocks = []
    for start, end in zip(starts, [*starts[1:], len(path)], strict=True):
        telling = told[start:end]
        blocks.append(
            ClockBlock(
                first=stations.names[start],
                last=stations.names[end - 1],
                stations=int(end - start),
                offset_s=int(OFFSETS[path[start]] * step_s),
                agreeing=int((telling & (best[start:end] == path[start])).sum()),
                telling=int(telling.sum()),
            )
        )
    return tuple(blocks)


def _index(stations: Stations, fitted: IntArray) -> tuple[dict[str, int], ...]:
    """Numbers of the labels of fitted stations, level by level."""
    labels = [stations.labels[s] for s in np.unique(fitted)]
    return tuple(
        {name: i for i, name in enumerate(dict.fromkeys(level))}
        for level in zip(*labels, strict=True)
    )


def _levels(stations: Stations, index: tuple[dict[str, int], ...]) -> IntArray:
    """Group of each station at each level, -1 where it was not fitted."""
    numbers = [
        [own.get(n, -1) for n, own in zip(label, index, strict=True)] for label in stations.labels
    ]
    return np.array(numbers, dtype=np.int64).reshape(len(stations.labels), len(index))


def _active(rows: Rows, member: IntArray) -> int:
    """How many constants the rows speak for: factors that are not always zero, by member."""
    used = np.zeros((int(member.max()) + 1, rows.feature.shape[1]), dtype=bool)
    np.logical_or.at(used, member, rows.feature != 0)
    return int(used.sum())
