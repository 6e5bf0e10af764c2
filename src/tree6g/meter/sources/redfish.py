"""Redfish: power and energy of a chassis, in its old and its new resources.

`Power` (deprecated) has `PowerControl[].PowerConsumedWatts`; the first entry is the chassis, others
may be parts of it. `EnvironmentMetrics` has `PowerWatts.Reading` and `EnergykWh.Reading` or
`EnergyJoules.Reading`; `Sensor` has `ReadingType` and `Reading`.

Source: DMTF DSP0268, Redfish data model.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Final

from tree6g.meter.reading import Form, Found, Reading, reading
from tree6g.meter.sources.fields import mappings, number, text

_SENSORS: Final = {"Power": ("power", 1.0), "EnergyJoules": ("energy", 1.0),
                   "EnergykWh": ("energy", 3.6e6), "EnergyWh": ("energy", 3600.0)}  # fmt: skip
KWH_J: Final = 3.6e6


def is_redfish(data: Mapping[str, Any]) -> bool:
    """Whether it is a resource with power or energy."""
    known = {"PowerControl", "PowerWatts", "EnergykWh", "EnergyJoules"} & set(data)
    return bool(known) or str(data.get("@odata.type", "")).startswith("#Sensor.")


def read_redfish(data: Mapping[str, Any]) -> Found:
    """What a resource says; a value of null is told."""
    node = text(data, "@odata.id", "Id", "Name")
    readings = [*_control(data, node), *_metrics(data, node), *_sensor(data, node)]
    problems = []
    if not readings:
        problems.append(f"{node}: no power and no energy has a value.")
    return Found(format="redfish", readings=tuple(readings), problems=tuple(problems))


def _control(data: Mapping[str, Any], node: str) -> Iterator[Reading]:
    outer = ""
    for at, entry in enumerate(mappings(data.get("PowerControl"))):
        value = number(entry, "PowerConsumedWatts")
        if value is None:
            continue
        made = _one(f"{node}#/PowerControl/{at}/PowerConsumedWatts", "power", value, node)
        yield dataclasses.replace(made, part_of=outer)
        outer = outer or made.name


def _metrics(data: Mapping[str, Any], node: str) -> Iterator[Reading]:
    power = number(data, "PowerWatts", "Reading")
    if power is not None:
        yield _one(f"{node}#/PowerWatts/Reading", "power", power, node)
    joules = number(data, "EnergyJoules", "Reading")
    kwh = number(data, "EnergykWh", "Reading")
    if joules is not None:
        yield _one(f"{node}#/EnergyJoules/Reading", "energy", joules, node)
    elif kwh is not None:
        yield _one(f"{node}#/EnergykWh/Reading", "energy", kwh * KWH_J, node)


def _sensor(data: Mapping[str, Any], node: str) -> Iterator[Reading]:
    kind, scale = _SENSORS.get(text(data, "ReadingType"), ("", 1.0))
    value = number(data, "Reading")
    if kind and value is not None:
        yield _one(f"{node}#/Reading", kind, value * scale, node)


def _one(name: str, kind: str, value: float, node: str) -> Reading:
    form: Form = "counter" if kind == "energy" else "gauge"
    return reading(name, kind, form, value, node=node, component="host")
