"""Carbon intensity of electricity by place and hour.

Yearly means of countries, location based, from the packaged table. Two tables in use differ by 4 %
(USA), 13 % (Germany) and 26 % (France) for nearly the same years, so a yearly mean carries a range
of 26 % each way; hours that a user gives carry none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tree6g import data
from tree6g.errors import DataError, nearest
from tree6g.lifecycle.ranges import Range, within

TABLE: Final = "grid_carbon"
WORLD: Final = "WLD"
YEARLY_U95_FRAC: Final = 0.26


def grid_of(place: str) -> str:
    """The row of a country by its code (ISO 3166, three letters) or name; case does not matter.

    Raises:
        DataError: No such place; the message names the nearest.
    """
    rows = data.table(TABLE)
    wanted = place.strip().lower()
    for code, row in rows.items():
        if wanted in (code.lower(), data.text(row, "country").lower()):
            return code
    known = [*rows, *(data.text(row, "country") for row in rows.values())]
    raise DataError(f"expected a country or WLD; got {place!r}. {nearest(place, known)}")


def yearly_kgco2e_per_j(place: str) -> Range:
    """Mean of a year, with the range that tables differ by."""
    row = data.row(TABLE, grid_of(place))
    return within(data.number(row, "kgco2e_per_j"), YEARLY_U95_FRAC)


def weighted_kgco2e_per_j(energy_j: Sequence[float], by_hour: NDArray[np.float64]) -> float:
    """Mean intensity of energy that was drawn hour by hour from t = 0, day after day.

    Args:
        energy_j: Energy of each hour. [hour]
        by_hour: Intensity of each hour of a day, in kgCO2e per joule. [24]

    Raises:
        DataError: Not 24 hours, or no energy.
    """
    if len(by_hour) != 24 or not np.all(np.isfinite(by_hour)) or np.any(by_hour < 0.0):
        raise DataError(f"expected 24 intensities of at least 0; got {len(by_hour)}.")
    drawn = np.asarray(energy_j, dtype=np.float64)
    if not drawn.sum() > 0.0:
        raise DataError("expected energy above 0 J to weigh the hours with; got none.")
    hours = np.arange(drawn.size) % 24
    return float(drawn @ by_hour[hours] / drawn.sum())
