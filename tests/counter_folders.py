"""Folders of base-station counters whose constants and clock offsets are known."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

START = dt.datetime(2025, 3, 1)  # noqa: DTZ001
HOUR = dt.timedelta(hours=1)
STATIC = {"RU-A": 200.0, "RU-B": 350.0}
DYNAMIC = {"RU-A": 150.0, "RU-B": 300.0}
SAVED = 60.0
SPREAD = 0.05  # of the static power between stations of one configuration


def tables(rng, *, stations=24, hours=60, shifted=0, noise=0.0):
    """Columns of the three tables; the first `shifted` stations stamp their energy an hour early.

    Energy of an hour = static + dynamic * load - 60 * fraction saved, static within 5 %.
    """
    info = {"BS": [], "CellName": [], "RUType": [], "Mode": [], "Frequency": [], "Bandwidth": []}
    info |= {"Antennas": [], "TXpower": []}
    load = {"Time": [], "BS": [], "CellName": [], "load": [], "ESMode1": []}
    energy = {"Time": [], "BS": [], "Energy": []}
    for s in range(stations):
        unit = "RU-A" if s % 2 else "RU-B"
        row = (f"S_{s}", "C0", unit, "M", 3500.0, 20.0, 2.0, 46.0)
        for column, value in zip(info.values(), row, strict=True):
            column.append(value)
        static = STATIC[unit] * (1 + SPREAD * rng.uniform(-1, 1))
        used = rng.uniform(0.05, 0.9, hours)
        saved = np.where(used < 0.2, rng.uniform(0, 1, hours), 0.0)
        drawn = static + DYNAMIC[unit] * used - SAVED * saved
        drawn *= 1 + noise * rng.standard_normal(hours)
        for h in range(hours):
            for column, value in zip(
                load.values(), (START + h * HOUR, f"S_{s}", "C0", used[h], saved[h]), strict=True
            ):
                column.append(value)
            early = HOUR if s < shifted else 0 * HOUR
            energy["Time"].append(START + h * HOUR - early)
            energy["BS"].append(f"S_{s}")
            energy["Energy"].append(drawn[h])
    return {"bs_info": info, "bs_load_hourly": load, "bs_energy_hourly": energy}


def write(folder, columns, *, form="parquet"):
    """The tables as files of a folder, which is returned."""
    folder.mkdir(parents=True, exist_ok=True)
    for stem, data in columns.items():
        table = pa.table(data)
        path = folder / f"{stem}.{form}"
        if form == "csv":
            pa.csv.write_csv(table, path)
        else:
            pa.parquet.write_table(table, path)
    return folder


def where(columns, wanted):
    """The rows of load and energy that `wanted(station, time)` keeps, and all configurations."""
    kept = {"bs_info": columns["bs_info"]}
    for stem in ("bs_load_hourly", "bs_energy_hourly"):
        data = columns[stem]
        rows = [
            i for i, (b, t) in enumerate(zip(data["BS"], data["Time"], strict=True)) if wanted(b, t)
        ]
        kept[stem] = {name: [values[i] for i in rows] for name, values in data.items()}
    return kept
