"""Reads a folder of base-station counters: configuration, hourly load, hourly energy.

`bs_info`, `bs_load_hourly` and `bs_energy_hourly`, each `.parquet` or `.csv`, with the columns of
the ITU 5G energy challenge 2023:

- `bs_info`: BS, CellName, RUType, Mode, Frequency, Bandwidth, Antennas, TXpower;
- `bs_load_hourly`: Time, BS, CellName, load (0..1), ESMode1, ... (fraction of the hour, 0..1);
- `bs_energy_hourly`: Time, BS, Energy (> 0, in any one unit).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from tree6g.errors import DataError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_INFO: Final = {
    "BS": "text",
    "CellName": "text",
    "RUType": "text",
    "Mode": "text",
    "Frequency": "number",
    "Bandwidth": "number",
    "Antennas": "number",
    "TXpower": "number",
}
_LOAD: Final = {"Time": "time", "BS": "text", "CellName": "text", "load": "number"}
_ENERGY: Final = {"Time": "time", "BS": "text", "Energy": "number"}
_SAVING: Final = "ESMode"
_ABOVE_ONE: Final = 1.001  # a fraction may exceed one by its rounding

Columns = dict[str, NDArray[Any]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CounterFiles:
    """The three tables as columns; rows that cannot be used are gone, `problems` says why.

    Attributes:
        folder: Where they were read.
        info: One row per cell: BS, CellName, RUType, Mode, Frequency, Bandwidth, Antennas, TXpower.
        load: One row per cell and hour: time_s, BS, CellName, load, and `modes`.
        energy: One row per station and hour: time_s, BS, Energy.
        modes: Names of the energy-saving columns.
        problems: Rows left out, each kind in one line.
    """

    folder: Path
    info: Columns
    load: Columns
    energy: Columns
    modes: tuple[str, ...]
    problems: tuple[str, ...]

    def active_modes(self) -> tuple[str, ...]:
        """Energy-saving modes that some cell is in at some time."""
        return tuple(mode for mode in self.modes if self.load[mode].any())


def read_counters(folder: Path) -> CounterFiles:
    """Read the three tables of a folder.

    Raises:
        DataError: A file or column is absent, or a column does not hold what it should; all
            faults of the folder at once.
    """
    if not folder.is_dir():
        raise DataError(
            f"expected a folder with bs_info, bs_load_hourly and bs_energy_hourly; got {folder}."
        )
    faults: list[str] = []
    info = _table(folder, "bs_info", _INFO, faults)
    load = _table(folder, "bs_load_hourly", _LOAD, faults)
    energy = _table(folder, "bs_energy_hourly", _ENERGY, faults)
    modes = tuple(sorted(name for name in load if name.startswith(_SAVING)))
    for name in ("load", *modes):
        _check_fractions(folder, load, name, faults)
    if faults:
        raise DataError("\n".join(faults))
    problems: list[str] = []
    info = _kept(
        info, _unique(info, ("BS", "CellName")), "bs_info, rows that repeat a cell", problems
    )
    good = np.isfinite(load["load"]) & np.all([np.isfinite(load[m]) for m in modes], axis=0)
    load = _kept(load, good, "bs_load_hourly, rows without a number", problems)
    once = _unique(load, ("BS", "CellName", "time_s"))
    load = _kept(load, once, "bs_load_hourly, rows that repeat a cell and time", problems)
    good = np.isfinite(energy["Energy"]) & (energy["Energy"] > 0)
    energy = _kept(energy, good, "bs_energy_hourly, rows without an energy above 0", problems)
    once = _unique(energy, ("BS", "time_s"))
    energy = _kept(energy, once, "bs_energy_hourly, rows that repeat a station and time", problems)
    for stem, table in (("bs_load_hourly", load), ("bs_energy_hourly", energy)):
        if not len(table["BS"]):
            faults.append(f"no row of {stem} can be used: {'; '.join(problems)}. See {folder}.")
    if faults:
        raise DataError("\n".join(faults))
    return CounterFiles(
        folder=folder, info=info, load=load, energy=energy, modes=modes, problems=tuple(problems)
    )


def _table(folder: Path, stem: str, wanted: dict[str, str], faults: list[str]) -> Columns:
    """Wanted columns, and those of saving modes; faults are added to the list."""
    found = [folder / f"{stem}{end}" for end in (".parquet", ".csv")]
    path = next((p for p in found if p.is_file()), None)
    if path is None:
        faults.append(f"expected {stem}.parquet or {stem}.csv; got neither in {folder}.")
        return {}
    try:
        table = _read(path)
    except (pa.ArrowException, OSError) as error:
        faults.append(f"expected a table; got what cannot be read ({error}): {path}.")
        return {}
    missing = [name for name in wanted if name not in table.column_names]
    if missing:
        shown = ", ".join(table.column_names)
        faults.append(f"expected columns {', '.join(missing)} in {path}; got {shown}.")
    elif not table.num_rows:
        faults.append(f"expected rows; got an empty table: {path}.")
    kinds = dict(wanted)
    if stem == "bs_load_hourly":
        kinds |= {n: "number" for n in table.column_names if n.startswith(_SAVING)}
    read = {n: _column(path, table, n, k, faults) for n, k in kinds.items() if n not in missing}
    return {"time_s" if name == "Time" else name: values for name, values in read.items()}


def _read(path: Path) -> pa.Table:
    return pa.csv.read_csv(path) if path.suffix == ".csv" else pa.parquet.read_table(path)


def _column(path: Path, table: pa.Table, name: str, kind: str, faults: list[str]) -> NDArray[Any]:
    column = table.column(name)
    try:
        if kind == "time":
            stamps = column if _is_time(column) else column.cast(pa.timestamp("ns"))
            return np.asarray(pc.cast(stamps, pa.timestamp("s"), safe=False)).astype(np.int64)
        if kind == "number":
            return np.asarray(column.cast(pa.float64()), dtype=np.float64)
        if column.null_count:
            faults.append(f"expected a name in every row of {name}; got blanks: {path}.")
        return np.asarray(column.cast(pa.string()).to_numpy(), dtype=str)
    except pa.ArrowException as error:
        faults.append(f"expected {kind}s in column {name} of {path}; got {error}.")
        return np.empty(0)


def _is_time(column: pa.ChunkedArray) -> bool:
    return pa.types.is_timestamp(column.type)


def _check_fractions(folder: Path, load: Columns, name: str, faults: list[str]) -> None:
    values = load.get(name, np.empty(0))
    values = values[np.isfinite(values)] if values.dtype == np.float64 else np.empty(0)
    if values.size and (values.min() < 0 or values.max() > _ABOVE_ONE):
        worst = values.max() if values.max() > _ABOVE_ONE else values.min()
        faults.append(
            f"expected {name} between 0 and 1; got {worst:g} in {folder}/bs_load_hourly. "
            "Write fractions of the hour or of the resource blocks, not per cent."
        )


def _unique(table: Columns, keys: Sequence[str]) -> NDArray[np.bool_]:
    """Whether a row is the first with its key."""
    codes = [np.unique(table[k], return_inverse=True)[1].astype(np.int64) for k in keys]
    code = codes[0]
    for other in codes[1:]:
        code = code * (int(other.max(initial=0)) + 1) + other
    first = np.zeros(len(code), dtype=bool)
    first[np.unique(code, return_index=True)[1]] = True
    return first


def _kept(table: Columns, good: NDArray[np.bool_], what: str, problems: list[str]) -> Columns:
    gone = int(len(good) - good.sum())
    if not gone:
        return table
    problems.append(f"left out of {what}: {gone:,}")
    return {name: values[good] for name, values in table.items()}
