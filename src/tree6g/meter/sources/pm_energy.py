"""Energy of a measurement period, held against average power times time before it is believed.

Vendors write `PEE.Energy` in kWh, as TS 28.552 says, in Wh, in J, or in something else. Where the
average power is there too, the unit is the one in which the two agree: to one count of the number
as written, or to 5 %. Where none agrees the energy is not known.

Source: TS 28.552 clause 5.1.1.19.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Final

from tree6g.meter.reading import Reading, reading

UNITS_J: Final[Mapping[str, float]] = {"kWh": 3.6e6, "Wh": 3600.0, "kJ": 1e3, "J": 1.0}
AGREES_FRAC: Final = 0.05
MAX_SITE_W: Final = 100_000.0  # more than any radio site takes


def energy_of(
    name: str, value: float, power_w: float, duration: float | None, declared: str = "kWh"
) -> Reading:
    """The energy of an interval.

    Args:
        name: Name in the source.
        value: Number as written.
        power_w: Average power over the same time; NaN if it is not there.
        duration: Length of the interval in s; None if it is not known.
        declared: Unit by the standard, or by the vendor.
    """
    made = reading(name, "energy", "interval", value, scale=UNITS_J[declared])
    if made.value_si is None or duration is None or duration <= 0.0:
        return made
    if not math.isfinite(power_w):
        return _alone(made, duration)
    expected = power_w * duration
    fitting = [unit for unit in UNITS_J if _agrees(value, UNITS_J[unit], expected)]
    if declared in fitting:
        return made
    said = (
        f"{value:g} {declared} would be {made.value_si / duration:,.6g} W; average power is "
        f"{power_w:g} W, so {expected:g} J in {duration:g} s"
    )
    if fitting:
        right = value * UNITS_J[fitting[0]]
        return dataclasses.replace(made, value_si=right, suspect=f"{said}: read as {fitting[0]}")
    return dataclasses.replace(made, value_si=None, why=f"{said}: no unit fits")


def _agrees(value: float, unit_j: float, expected: float) -> bool:
    count = 1.0 if value == math.floor(value) else 0.0
    return abs(value * unit_j - expected) <= max(count * unit_j, AGREES_FRAC * expected)


def _alone(made: Reading, duration: float) -> Reading:
    """Without power beside it: only what no site can take is not believed."""
    power_w = (made.value_si or 0.0) / duration
    if power_w > MAX_SITE_W:
        why = f"it would be {power_w:,.6g} W on average, and no power is given to check the unit"
        return dataclasses.replace(made, value_si=None, why=why)
    return made
