"""Energy objects of the IETF GREEN working group's YANG module, as JSON.

Drafts disagree on the unit of `total-energy-consumed` (Wh, or by `unit-multiplier`), so without a
multiplier the amount is told and not used. An object whose accuracy is that of its parent is not
metered by itself.

Source: draft-bcmj-green-power-and-energy-yang.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from tree6g.meter.reading import Found, Reading, reading
from tree6g.meter.sources.fields import mappings, number, text

_MULTIPLIER: Final = {
    "multiplier-micro": 1e-6, "multiplier-milli": 1e-3, "multiplier-units": 1.0,
    "multiplier-kilo": 1e3, "multiplier-mega": 1e6,
}  # fmt: skip
_TOP: Final = "energy-objects"
WH_J: Final = 3600.0


def is_green(data: Mapping[str, Any]) -> bool:
    """Whether the module's container is there."""
    return any(str(key).rpartition(":")[2] == _TOP for key in data)


def read_green(data: Mapping[str, Any]) -> Found:
    """Energy of each object; not known where the unit is not."""
    readings: list[Reading] = []
    problems: list[str] = []
    for key, top in data.items():
        if str(key).rpartition(":")[2] != _TOP or not isinstance(top, Mapping):
            continue
        for entry in (*mappings(top.get("energy-object")), *mappings(top.get("energy-entry"))):
            made = _object(entry)
            if made is not None:
                readings.append(made)
    problems += [f"{r.name}: not known: {r.why}." for r in readings if r.why]
    if not readings:
        problems.append("green: no object has total-energy-consumed.")
    return Found(format="ietf green", readings=tuple(readings), problems=tuple(problems))


def _object(entry: Mapping[str, Any]) -> Reading | None:
    energy = entry.get("energy")
    inner = energy if isinstance(energy, Mapping) else entry
    value = number(inner, "total-energy-consumed")
    if value is None:
        return None
    node = text(entry, "id", "name", "object-id") or "unnamed"
    word = text(inner, "unit-multiplier") or text(entry, "unit-multiplier")
    scale = _MULTIPLIER.get(word.rpartition(":")[2])
    made = reading(
        f"{node}/total-energy-consumed", "energy", "counter", value, scale=(scale or 1.0) * WH_J,
        node=node, component="host",
    )  # fmt: skip
    if text(inner, "data-source-accuracy").endswith("accuracy-like-parent"):
        why = f"{value:g} of an object that is not metered by itself"
        return dataclasses.replace(made, value_si=None, why=why)
    if scale is None:
        why = f"{value:g} without unit-multiplier; drafts of the module disagree on the unit"
        return dataclasses.replace(made, value_si=None, why=why)
    return made
