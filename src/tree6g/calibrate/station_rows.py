"""Counters as arrays: stations with their configuration, loads by the hour, energy beside load."""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tree6g.calibrate.clock import name_order
from tree6g.calibrate.counter_files import Columns, CounterFiles
from tree6g.errors import DataError
from tree6g.radio import fitted_station

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

LEVELS: Final = ("all", "mode", "radio unit", "layout", "configuration")
_PLAUSIBLE_DBM: Final = (20.0, 70.0)  # transmit power of a cell, from a small one to an array
_STEP_ERROR: Final = 0.01
_SHOWN: Final = 5  # names of stations in a note


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stations:
    """Stations in the order of their names, with what their configuration says.

    Attributes:
        names: `[station]`.
        radio_unit: Kind of radio unit `[station]`.
        labels: Nested groups of each station, one label per level of `LEVELS` `[station][level]`.
        static: Scale of the static power `[station]`.
        dynamic: Scale of the dynamic power of the first cell `[station]`.
    """

    names: tuple[str, ...]
    radio_unit: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]
    static: FloatArray
    dynamic: FloatArray


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hours:
    """Factors of the model by station and hour, sorted by both.

    Attributes:
        station: Index of the station `[row]`.
        time_s: Stamp of the load `[row]`.
        feature: Factors `[row, feature]`, see `fitted_station.features`.
        step_s: Length of an interval.
    """

    station: IntArray
    time_s: IntArray
    feature: FloatArray
    step_s: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """Energy beside the factors of its hour.

    Attributes:
        station: Index of the station `[row]`.
        time_s: Stamp of the energy `[row]`.
        feature: Factors `[row, feature]`.
        energy: Measured energy `[row]`, in the unit of the file.
    """

    station: IntArray
    time_s: IntArray
    feature: FloatArray
    energy: FloatArray

    def __len__(self) -> int:
        return len(self.energy)

    def where(self, wanted: NDArray[np.bool_]) -> Rows:
        """The rows that are wanted."""
        return Rows(
            station=self.station[wanted],
            time_s=self.time_s[wanted],
            feature=self.feature[wanted],
            energy=self.energy[wanted],
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Counters:
    """A folder of counters ready to be fitted or predicted."""

    stations: Stations
    hours: Hours
    energy_station: IntArray
    energy_time_s: IntArray
    energy: FloatArray
    modes: tuple[str, ...]
    problems: tuple[str, ...]

    def paired(self, offset_s: IntArray) -> Rows:
        """Energy stamped t beside the load stamped t + offset, with an offset per station."""
        wanted_s = self.energy_time_s + offset_s[self.energy_station]
        span = 1 + int(max(self.hours.time_s.max(), wanted_s.max()))
        keys = self.hours.station * span + self.hours.time_s
        asked = self.energy_station * span + wanted_s
        at = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
        found = keys[at] == asked
        return Rows(
            station=self.energy_station[found],
            time_s=self.energy_time_s[found],
            feature=self.hours.feature[at[found]],
            energy=self.energy[found],
        )


def power_scale(files: CounterFiles) -> float | None:
    """What divides TXpower to make it dBm: 1, or the energy's step in a file scaled as a whole.

    The public stations are scaled so that their largest energy is 100; their energies are then
    whole multiples of 0.1495, and TXpower over the same step is 46.0 dBm for most cells. None if
    neither reading is plausible; then transmit powers are not used.
    """
    typical = float(np.median(files.info["TXpower"]))
    steps = np.diff(np.unique(files.energy["Energy"].round(6)))
    step = float(steps.min()) if steps.size else 1.0
    multiples = files.energy["Energy"] / step
    step = float(files.energy["Energy"].sum() / multiples.round().sum())
    multiples = files.energy["Energy"] / step
    whole = np.abs(multiples - multiples.round()).max() < _STEP_ERROR
    low, high = _PLAUSIBLE_DBM
    if low <= typical <= high:
        return 1.0
    return step if whole and low <= typical / step <= high else None


def counters(files: CounterFiles, *, scale: float | None, modes: tuple[str, ...]) -> Counters:
    """Arrays of the stations that have configuration, load and energy.

    Args:
        files: What was read.
        scale: What divides TXpower to make it dBm, None to leave transmit powers out.
        modes: Energy-saving modes of the model; a mode the file lacks was never active.

    Raises:
        DataError: No station has all three, or no load of a first cell is given.
    """
    problems = list(files.problems)
    known = {*files.info["BS"]} & {*files.load["BS"]} & {*files.energy["BS"]}
    for table, what in ((files.load, "load"), (files.energy, "energy")):
        lacking = {*table["BS"]} - {*files.info["BS"]}
        if lacking:
            problems.append(_left_out(lacking, f"with {what} but without a row in bs_info"))
    idle = ({*files.energy["BS"]} & {*files.info["BS"]}) - {*files.load["BS"]}
    if idle:
        problems.append(_left_out(idle, "with energy but without load"))
    if not known:
        raise DataError(
            "expected stations with configuration, load and energy; "
            f"got none that all three tables name: {files.folder}."
        )
    names = tuple(sorted((str(n) for n in known), key=name_order))
    index = {name: i for i, name in enumerate(names)}
    cells = {name: _cells(files.info, rows) for name, rows in _by_name(files.info, index).items()}
    stations = _stations(names, cells, scale)
    hours = _hours(files, stations, cells, modes, scale, problems)
    code = np.array([index.get(str(n), -1) for n in files.energy["BS"]], dtype=np.int64)
    order = np.lexsort((files.energy["time_s"], code))
    order = order[code[order] >= 0]
    unknown = sorted({*files.modes} - {*modes})
    active = [m for m in unknown if files.load[m].any()]
    if active:
        problems.append(f"{', '.join(active)}: active here, never in the fit; taken as no saving")
    return Counters(
        stations=stations,
        hours=hours,
        energy_station=code[order],
        energy_time_s=files.energy["time_s"][order],
        energy=files.energy["Energy"][order],
        modes=modes,
        problems=tuple(problems),
    )


def _left_out(names: set[str], what: str) -> str:
    """Stations that are not used and why, a few of them by name."""
    shown = sorted(map(str, names), key=name_order)[:_SHOWN]
    stations = "station" if len(names) == 1 else "stations"
    more = ", ..." if len(names) > len(shown) else ""
    return f"{len(names):,} {stations} {what}: left out ({', '.join(shown)}{more})"


def _by_name(table: Columns, index: dict[str, int]) -> dict[str, IntArray]:
    """Rows of each known station."""
    order = np.argsort(table["BS"], kind="stable")
    names, starts = np.unique(table["BS"][order], return_index=True)
    groups = np.split(order, starts[1:])
    return {str(n): g for n, g in zip(names, groups, strict=True) if str(n) in index}


def _cells(info: Columns, rows: IntArray) -> Columns:
    order = sorted(rows, key=lambda row: name_order(str(info["CellName"][row])))
    return {name: values[order] for name, values in info.items()}


def _scales(cells: Columns, scale: float | None) -> tuple[FloatArray, FloatArray]:
    ports = np.maximum(np.nan_to_num(cells["Antennas"], nan=1.0), 1.0)
    reference = np.full(len(ports), fitted_station.REFERENCE_DBM)
    given = reference if scale is None else cells["TXpower"] / scale
    return fitted_station.hardware_scale(ports, np.where(np.isfinite(given), given, reference))


def _stations(names: tuple[str, ...], cells: dict[str, Columns], scale: float | None) -> Stations:
    both = [_scales(cells[n], scale) for n in names]
    return Stations(
        names=names,
        radio_unit=tuple(str(cells[n]["RUType"][0]) for n in names),
        labels=tuple(_labels(cells[n], scale) for n in names),
        static=np.array([static[0] for static, _ in both]),
        dynamic=np.array([dynamic[0] for _, dynamic in both]),
    )


def _labels(cells: Columns, scale: float | None) -> tuple[str, ...]:
    """Nested groups of a station, each label holding those above it."""
    mode, unit = str(cells["Mode"][0]), str(cells["RUType"][0])
    pairs = zip(cells["Bandwidth"], cells["Antennas"], strict=True)
    layout = " + ".join(f"{width:g} MHz x {ports:g}" for width, ports in pairs)
    power = "/".join(f"{value / (scale or 1.0):.1f}" for value in cells["TXpower"])
    band = "/".join(f"{value:g}" for value in cells["Frequency"])
    unit_of = f"{mode} {unit}"
    return (
        "all",
        mode,
        unit_of,
        f"{unit_of}, {layout}",
        f"{unit_of}, {layout}, {power}{' dBm' if scale else ''}, band {band}",
    )


def _hours(
    files: CounterFiles,
    stations: Stations,
    cells: dict[str, Columns],
    modes: tuple[str, ...],
    scale: float | None,
    problems: list[str],
) -> Hours:
    load = files.load
    order = np.argsort(load["time_s"], kind="stable")
    load = {name: values[order] for name, values in load.items()}
    rows_of = _by_name(load, {name: i for i, name in enumerate(stations.names)})
    typical = _further_load(load, rows_of, cells)
    row, station, further, filled = [], [], [], 0
    for i, name in enumerate(stations.names):
        own = rows_of[name]
        first, others, missing = _first_and_others(load, own, cells[name], scale, typical)
        row.append(first)
        station.append(np.full(len(first), i, dtype=np.int64))
        further.append(others)
        filled += missing
    if filled:
        problems.append(
            f"{filled:,} loads of further cells are absent: interpolated in time, "
            "or the mean of all such cells"
        )
    rows, at = np.concatenate(row), np.concatenate(station)
    if not len(rows):
        raise DataError(
            f"expected loads of the first cell of a station; got none in {files.folder}. "
            "Name its cells in bs_load_hourly as in bs_info."
        )
    none = np.zeros(len(rows))
    saving = [load[mode][rows] if mode in load else none for mode in modes]
    feature = fitted_station.features(
        load["load"][rows],
        np.concatenate(further),
        np.column_stack(saving) if saving else np.empty((len(rows), 0)),
        static=stations.static[at],
        dynamic=stations.dynamic[at],
    )
    steps = np.diff(np.unique(load["time_s"]))
    return Hours(
        station=at,
        time_s=load["time_s"][rows],
        feature=feature,
        step_s=int(steps.min()) if steps.size else 3600,
    )


def _first_and_others(
    load: Columns, own: IntArray, cells: Columns, scale: float | None, typical: float
) -> tuple[IntArray, FloatArray, int]:
    """Rows of the first cell, the scaled load of the others at their times, how many are absent."""
    first, *others = (own[load["CellName"][own] == name] for name in cells["CellName"])
    asked_s = load["time_s"][first]
    total, missing = np.zeros(len(first)), 0
    for rows, weight in zip(others, _scales(cells, scale)[1][1:], strict=True):
        given_s = load["time_s"][rows]
        missing += len(asked_s) - int(np.isin(asked_s, given_s).sum())
        given = load["load"][rows]
        total += weight * (np.interp(asked_s, given_s, given) if len(rows) else typical)
    return first, total, missing


def _further_load(load: Columns, rows_of: dict[str, IntArray], cells: dict[str, Columns]) -> float:
    """Mean load of all further cells, for those of which no load is given; 0 without any."""
    several = [name for name in rows_of if len(cells[name]["CellName"]) > 1]
    given = [rows_of[n][load["CellName"][rows_of[n]] != cells[n]["CellName"][0]] for n in several]
    loads = load["load"][np.concatenate(given)] if given else np.empty(0)
    return float(loads.mean()) if loads.size else 0.0
