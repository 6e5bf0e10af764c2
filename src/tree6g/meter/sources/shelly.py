"""Shelly plugs and meters: power in W, energy in Wh, in the first generation in watt-minutes.

Second generation, `Switch.GetStatus`: `apower`, `aenergy.total`; `EM1.GetStatus`: `act_power`;
`EM.GetStatus`: `total_act_power`; `EMData`: `total_act_energy`, `total_act`. `Shelly.GetStatus` has
several of them under `switch:0` and the like. First generation, `/status`: `meters[]` with `power`
and `total` in watt-minutes, `emeters[]` with `power` and `total` in Wh.

Source: Shelly API documentation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from tree6g.meter.reading import Form, Found, Reading, reading
from tree6g.meter.sources.fields import mappings, number

WH_J: Final = 3600.0
WATT_MINUTE_J: Final = 60.0
_POWER: Final = ("apower", "act_power", "total_act_power")
_ENERGY: Final = (("aenergy", "total"), ("total_act_energy",), ("total_act",))
_PART: Final = re.compile(r"(?:switch|em1?|em1?data|pm1|cover|light):\d+")


def is_shelly(data: Mapping[str, Any]) -> bool:
    """Whether it is a status of either generation."""
    if set(_POWER) & set(data) or "aenergy" in data or "total_act_energy" in data:
        return True
    first = any("power" in m for k in ("meters", "emeters") for m in mappings(data.get(k)))
    return first or any(_PART.fullmatch(str(k)) for k in data)


def read_shelly(data: Mapping[str, Any]) -> Found:
    """Power and energy of each output or phase."""
    parts = {str(k): v for k, v in data.items() if _PART.fullmatch(str(k))}
    readings: list[Reading] = []
    for name, part in (parts or {"": data}).items():
        if isinstance(part, Mapping):
            readings += _second(name, part)
    readings += _first(data)
    problems = () if readings else ("shelly: neither power nor energy has a value.",)
    return Found(format="shelly", readings=tuple(readings), problems=problems)


def _second(name: str, data: Mapping[str, Any]) -> Iterator[Reading]:
    prefix = f"{name}." if name else ""
    for key in _POWER:
        power = number(data, key)
        if power is not None:
            yield _one(prefix + key, "power", "gauge", power)
            break
    for path in _ENERGY:
        energy = number(data, *path)
        if energy is not None:
            yield _one(prefix + ".".join(path), "energy", "counter", energy * WH_J)
            break


def _first(data: Mapping[str, Any]) -> Iterator[Reading]:
    for kind, unit_j in (("meters", WATT_MINUTE_J), ("emeters", WH_J)):
        for at, meter in enumerate(mappings(data.get(kind))):
            power, total = number(meter, "power"), number(meter, "total")
            if power is not None:
                yield _one(f"{kind}[{at}].power", "power", "gauge", power)
            if total is not None:
                yield _one(f"{kind}[{at}].total", "energy", "counter", total * unit_j)


def _one(name: str, kind: str, form: Form, value: float) -> Reading:
    return reading(name, kind, form, value, node=name.rpartition(".")[0], component="host")
