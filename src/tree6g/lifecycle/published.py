"""Published footprints computed again from the inputs that were published with them.

Inputs come in the units that the papers and tools print (GPU hours, kWh, tonnes); they are turned
into SI at this edge. Each kind is one formula; what it gives is named by its unit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from tree6g.errors import DataError, nearest
from tree6g.lifecycle import ecologits, sci
from tree6g.lifecycle.energy import (
    J_PER_KWH,
    S_PER_DAY,
    S_PER_HOUR,
    S_PER_YEAR,
    carbon_kgco2e,
    devices_j,
)

Inputs = Mapping[str, Any]
_LITRES: Final = {"L": 1.0, "l": 1.0, "mL": 1e-3, "ml": 1e-3, "m3": 1e3}
_GRAMS: Final = {"g": 1e-3, "kg": 1.0, "t": 1e3, "kt": 1e6}
_WATT_HOURS: Final = {"Wh": 3.6e3, "kWh": 3.6e6, "MWh": 3.6e9, "GWh": 3.6e12, "J": 1.0}


def compute(kind: str, quantity: str, unit: str, inputs: Inputs) -> float:
    """A footprint in the unit that it was published in.

    Args:
        kind: Formula, one of `KINDS`.
        quantity: What is asked, where a formula gives several: words with `embodied`, `usage`.
        unit: Unit of the published figure.
        inputs: What was published with it.

    Raises:
        DataError: No such kind or unit, or an input that is missing or no number.
    """
    if kind not in KINDS:
        raise DataError(f"expected a kind of footprint; got {kind!r}. {nearest(kind, KINDS)}")
    return KINDS[kind](quantity, unit, inputs)


def dimension(unit: str) -> tuple[str, float]:
    """What a unit measures (`j`, `kgco2e`, `l`) and its factor to that.

    Raises:
        DataError: No such unit.
    """
    bare = unit.strip().removesuffix("CO2eq").removesuffix("CO2e")
    for name, known in (("j", _WATT_HOURS), ("l", _LITRES), ("kgco2e", _GRAMS)):
        if bare in known:
            return name, known[bare]
    listed = ", ".join((*_WATT_HOURS, *_LITRES, *(f"{g}CO2e" for g in _GRAMS)))
    raise DataError(f"expected a unit, one of {listed}; got {unit!r}.")


def _gpu_hours_j(inputs: Inputs) -> float:
    hours_s = number(inputs, "gpu_hours") * S_PER_HOUR
    return devices_j(1.0, number(inputs, "gpu_w"), hours_s, number(inputs, "pue", 1.0))


def _devices_days_j(inputs: Inputs) -> float:
    return devices_j(
        number(inputs, "devices"),
        number(inputs, "device_w"),
        number(inputs, "days") * S_PER_DAY,
        number(inputs, "pue", 1.0),
    )


def _energy_j(inputs: Inputs) -> float:
    return number(inputs, "energy_kwh") * J_PER_KWH


def _energy(of: Callable[[Inputs], float]) -> Callable[[str, str, Inputs], float]:
    """A kind that gives energy."""

    def compute_energy(_quantity: str, unit: str, inputs: Inputs) -> float:
        """Energy in the unit."""
        return _in_unit({"j": of(inputs)}, unit)

    return compute_energy


def _carbon(of: Callable[[Inputs], float]) -> Callable[[str, str, Inputs], float]:
    """A kind that gives the carbon of an energy."""

    def compute_carbon(_quantity: str, unit: str, inputs: Inputs) -> float:
        """Carbon in the unit."""
        return _in_unit({"kgco2e": carbon_kgco2e(of(inputs), _grid(inputs))}, unit)

    return compute_carbon


def _grid(inputs: Inputs) -> float:
    return number(inputs, "kgco2e_per_kwh") / J_PER_KWH


def _difference(_quantity: str, _unit: str, inputs: Inputs) -> float:
    """A total without its other parts, all in the unit of the row."""
    parts = inputs.get("minus")
    if not isinstance(parts, Sequence) or isinstance(parts, str):
        raise DataError(f"expected the input minus, a list of numbers; got {parts!r}.")
    return number(inputs, "total") - math.fsum(number({"minus": part}, "minus") for part in parts)


def _sci_embodied(_quantity: str, unit: str, inputs: Inputs) -> float:
    embodied = sci.embodied_kgco2e(
        number(inputs, "embodied_g") * 1e-3,
        number(inputs, "reserved_h") * S_PER_HOUR,
        number(inputs, "lifetime_y") * S_PER_YEAR,
        number(inputs, "share", 1.0),
    )
    return _in_unit({"kgco2e": embodied}, unit)


def _ecologits(quantity: str, unit: str, inputs: Inputs) -> float:
    found = ecologits.request(
        number(inputs, "total_params_b") * 1e9,
        number(inputs, "active_params_b") * 1e9,
        number(inputs, "tokens_out"),
        kgco2e_per_j=_grid(inputs),
        pue=number(inputs, "pue"),
        batch=number(inputs, "batch", ecologits.BATCH),
    )
    carbon = found.kgco2e
    if "embodied" in quantity.lower():
        carbon = found.embodied_kgco2e
    elif "usage" in quantity.lower():
        carbon = found.usage_kgco2e
    values = {"j": found.energy_j, "kgco2e": carbon}
    if dimension(unit)[0] == "l":
        on, off = number(inputs, "wue_on_l_per_kwh"), number(inputs, "wue_off_l_per_kwh")
        values["l"] = found.water_l(on, off)
    return _in_unit(values, unit)


def number(inputs: Inputs, name: str, default: float | None = None) -> float:
    """An input that must be a number.

    Raises:
        DataError: It is missing without a default, or no finite number of at least 0.
    """
    value = inputs.get(name, default)
    known = isinstance(value, int | float) and not isinstance(value, bool)
    if not known or not 0.0 <= float(value) < math.inf:
        given = ", ".join(inputs) or "none"
        raise DataError(
            f"expected the input {name}, a number of at least 0; got {value!r} (inputs: {given})."
        )
    return float(value)


def _in_unit(values: Mapping[str, float], unit: str) -> float:
    name, factor = dimension(unit)
    if name not in values:
        raise DataError(f"expected a unit of {', '.join(values)}; got {unit!r}.")
    return values[name] / factor


KINDS: Final[Mapping[str, Callable[[str, str, Inputs], float]]] = {
    "gpu_hours_to_energy": _energy(_gpu_hours_j),
    "gpu_hours_to_carbon": _carbon(_gpu_hours_j),
    "devices_days_to_energy": _energy(_devices_days_j),
    "devices_days_to_carbon": _carbon(_devices_days_j),
    "energy_to_carbon": _carbon(_energy_j),
    "difference": _difference,
    "sci_embodied": _sci_embodied,
    "ecologits_request": _ecologits,
}
