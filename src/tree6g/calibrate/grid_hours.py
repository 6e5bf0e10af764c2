"""Carbon intensity by hour of a day, as a user gives it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tree6g.calibrate.columns import Columns, read_columns

G_PER_KWH: Final = 1.0 / 3.6e9  # in kgCO2e per joule
HOURS: Final = 24


def read_hours(file: Path) -> NDArray[np.float64]:
    """Intensity in kgCO2e per joule `[hour of a day]`.

    Args:
        file: CSV with columns `hour` (0 to 23, each once) and `g_per_kwh`.

    Raises:
        DataError: The file is not what it should be, with all its faults.
    """
    table = read_columns(file, (), ("hour", "g_per_kwh"), check=_faults)
    order = np.argsort(table.number["hour"])
    return table.number["g_per_kwh"][order] * G_PER_KWH


def _faults(table: Columns) -> list[str]:
    hours, grams = table.number["hour"], table.number["g_per_kwh"]
    faults = []
    if sorted(hours.tolist()) != list(range(HOURS)):
        faults.append(f"expected each hour from 0 to 23 once; got {table.rows} rows")
    if np.any(grams < 0.0):
        faults.append("g_per_kwh must be at least 0 in every hour")
    return faults
