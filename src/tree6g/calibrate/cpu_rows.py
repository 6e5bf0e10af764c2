"""Measured power of processors over their load, in the columns of CodeCarbon's calibration files.

A row is one load held for half a minute: `cpu_load` in percent of all hardware threads, and the
counter of energy `rapl_energy` in kWh over `duration` in s. Where they are known: `cpu_freq` in MHz
(a mean over threads at one moment), `load_type`, `cores_used`, and the estimate of another program
in W, `estimated_power`. Watts are energy over duration: the column `rapl_power` of the public files
is the one of the row before.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tree6g import data
from tree6g.calibrate.columns import Columns, read_all, read_columns
from tree6g.errors import DataError

FloatArray = NDArray[np.float64]

REST_FRAC: Final = 0.05  # rows up to this load are at rest
J_PER_KWH: Final = 3.6e6
TWICE: Final = (1.4, 2.3)  # between these ratios one of two meters of a processor counts double
TEXT: Final = ("cpu_name", "load_type")
NUMBERS: Final = ("cpu_load", "rapl_energy", "duration")
OPTIONAL: Final = ("cpu_freq", "cores_used", "estimated_power", "rapl_power")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Machine:
    """What one machine drew at its loads.

    Attributes:
        name: What its files are called by.
        processor: Name of its processor as the system tells it.
        load_frac: Busy share of all hardware threads `[row]`.
        power_w: Energy over duration `[row]`.
        clock_hz: Mean clock of the threads; NaN where it is not known `[row]`.
        shape: How the load was spread: `all_cores` alike, or `some_cores` busy and others not.
        stored_w: What the other program estimated; NaN where it said nothing `[row]`.
        tdp_w: Design power of all its packages together; NaN where it is not known.
    """

    name: str
    processor: str
    load_frac: FloatArray
    power_w: FloatArray
    clock_hz: FloatArray
    shape: NDArray[np.str_]
    stored_w: FloatArray
    tdp_w: float

    def rows(self, which: NDArray[np.bool_]) -> Machine:
        """The machine with some of its rows `[row]`."""
        names = ("load_frac", "power_w", "clock_hz", "shape", "stored_w")
        return dataclasses.replace(self, **{n: getattr(self, n)[which] for n in names})

    @property
    def busy(self) -> NDArray[np.bool_]:
        """Which rows are not at rest `[row]`."""
        return self.load_frac > REST_FRAC


def read_machines(files: Sequence[Path]) -> tuple[list[Machine], list[str]]:
    """Machines of files, and what must be said of them.

    Files of one machine share the part of their name before `__`; a file without one is a machine
    of the processor that it names. Where two machines of one processor differ by a factor of about
    two, the higher one counts energy twice (a package and its cores, of which the package is the
    whole) and is left out.

    Raises:
        DataError: A file is no such table, or a machine has too few rows, with all faults.
    """
    tables = read_all(files, _table)
    names = [_name(Path(file), table) for file, table in zip(files, tables, strict=True)]
    machines = [
        _machine(name, [t for n, t in zip(names, tables, strict=True) if n == name])
        for name in dict.fromkeys(names)
    ]
    faults = [fault for machine in machines for fault in _too_few(machine)]
    if faults:
        raise DataError("\n".join(faults))
    kept, left = _counted_once(machines)
    return kept, [*left, *_notes(kept, tables)]


def _table(file: Path) -> Columns:
    return read_columns(file, TEXT, NUMBERS, optional=OPTIONAL, check=_faults)


def _faults(table: Columns) -> list[str]:
    """Numbers that no machine can have."""
    bounds = {"cpu_load": (0.0, 100.5), "rapl_energy": (0.0, np.inf), "duration": (0.0, np.inf)}
    faults: list[str] = []
    for name, (low, high) in bounds.items():
        values = table.number[name]
        wrong = (values < low) | (values > high)
        if name != "cpu_load":
            wrong |= values == 0.0
        faults += [
            f"line {i + 2}: {name} must be {_words(name)}; got {values[i]:g}"
            for i in np.flatnonzero(wrong)
        ]
    return faults


def _words(name: str) -> str:
    return {
        "cpu_load": "0 to 100 (percent of all threads)",
        "rapl_energy": "above 0 kWh",
        "duration": "above 0 s",
    }[name]


def _name(file: Path, table: Columns) -> str:
    front, parted, _ = file.name.partition("__")
    return front if parted else table.text["cpu_name"][0]


def _machine(name: str, tables: Sequence[Columns]) -> Machine:
    def column(key: str) -> FloatArray:
        """A column of all tables; NaN where a table has none."""
        parts = [t.number.get(key, np.full(t.rows, np.nan)) for t in tables]
        return np.concatenate(parts)

    processor = tables[0].text["cpu_name"][0]
    clock_hz = 1e6 * column("cpu_freq")
    return Machine(
        name=name,
        processor=processor,
        load_frac=np.minimum(column("cpu_load") / 100.0, 1.0),
        power_w=J_PER_KWH * column("rapl_energy") / column("duration"),
        clock_hz=np.where(clock_hz > 0.0, clock_hz, np.nan),
        shape=np.concatenate([np.array(t.text["load_type"]) for t in tables]),
        stored_w=column("estimated_power"),
        tdp_w=design_power_w(processor, column("cores_used")),
    )


def design_power_w(processor: str, threads: FloatArray) -> float:
    """Design power of all packages of a machine; NaN where its processor is not packaged.

    Args:
        processor: Its name as the system tells it.
        threads: Threads that were loaded; the most is the machine's number of them `[row]`.
    """
    for row in data.table("processors").values():
        if data.text(row, "match").lower() in processor.lower():
            known = threads[np.isfinite(threads)]
            most = float(known.max()) if known.size else 0.0
            packages = max(1, round(most / data.number(row, "threads")))
            return packages * data.number(row, "tdp_w")
    return np.nan


def _too_few(machine: Machine) -> Iterator[str]:
    busy, rest = int(machine.busy.sum()), int((~machine.busy).sum())
    if rest < 1 or busy < 4:
        yield (
            f"Expected of {machine.name} a row at rest (load up to {100 * REST_FRAC:g} %) and four "
            f"above it; got {rest} and {busy}. Measure those loads."
        )


def _counted_once(machines: Sequence[Machine]) -> tuple[list[Machine], list[str]]:
    """Machines without those that count their energy twice, and why those are left out."""
    left: dict[str, str] = {}
    for one in machines:
        for other in machines:
            if one.processor != other.processor or one.name == other.name:
                continue
            ratio = float(np.median(one.power_w[one.busy])) / float(
                np.median(other.power_w[other.busy])
            )
            if TWICE[0] < ratio < TWICE[1]:
                left[one.name] = (
                    f"{one.name} left out ({len(one.power_w)} rows): its processor is that of "
                    f"{other.name} ({one.processor}) and its watts are {ratio:.2f} times as high: "
                    "package and cores were summed"
                )
    return [m for m in machines if m.name not in left], list(left.values())


def _notes(machines: Sequence[Machine], tables: Sequence[Columns]) -> Iterator[str]:
    lagging = sum(_lags(table) for table in tables)
    if lagging:
        yield (
            f"rapl_power is the value of the row before in {lagging} of {len(tables)} files: "
            "energy over duration is used"
        )
    for machine in machines:
        if np.isnan(machine.tdp_w):
            yield f"{machine.name}: design power of {machine.processor} not known: no comparison"
        if not np.isfinite(machine.clock_hz).all():
            yield f"{machine.name}: no clock in some rows: fitted without it"


def _lags(table: Columns) -> bool:
    """Whether the column of watts is nearer to the energy of the row before than to its own."""
    watts = table.number.get("rapl_power")
    if watts is None or table.rows < 3:
        return False
    own = J_PER_KWH * table.number["rapl_energy"] / table.number["duration"]
    off, before = np.abs(watts[1:] - own[1:]), np.abs(watts[1:] - own[:-1])
    return bool(np.median(before) < 0.5 * np.median(off))
