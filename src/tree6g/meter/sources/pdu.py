"""Rack PDUs over SNMP: JSON of object identifier or name to value, or snmp_exporter's series.

APC's rPDU2 gives power in hundredths of a kilowatt and energy in tenths of a kilowatt-hour, of the
device, and by outlet as parts of it.

Source: PowerNet-MIB, rPDU2DeviceStatusTable and rPDU2OutletMeteredStatusTable.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any, Final

from tree6g.meter.exposition import Scrape
from tree6g.meter.reading import Form, Found, Reading, reading
from tree6g.meter.sources.fields import number

_APC: Final = "1.3.6.1.4.1.318.1.1.26."
# object -> (name, kind, W or J per unit, part of the device)
_OBJECTS: Final[Mapping[str, tuple[str, str, float, bool]]] = {
    _APC + "4.3.1.5": ("rPDU2DeviceStatusPower", "power", 10.0, False),
    _APC + "4.3.1.9": ("rPDU2DeviceStatusEnergy", "energy", 3.6e5, False),
    _APC + "9.4.3.1.7": ("rPDU2OutletMeteredStatusPower", "power", 1.0, True),
    _APC + "9.4.3.1.11": ("rPDU2OutletMeteredStatusEnergy", "energy", 3.6e5, True),
}
_NAMES: Final = {name: (kind, scale, part) for name, kind, scale, part in _OBJECTS.values()}
_KEY: Final = re.compile(r"(?:PowerNet-MIB::)?([A-Za-z]\w*|\.?[\d.]+?)\.(\d+)")


def is_pdu(data: Mapping[str, Any]) -> bool:
    """Whether it holds an object that is known here."""
    return any(_object(str(key)) is not None for key in data)


def read_pdu(data: Mapping[str, Any]) -> Found:
    """Power and energy of the device, and of its outlets as parts of it."""
    readings = []
    device = ""
    for key, raw in data.items():
        known, value = _object(str(key)), number(raw)
        if known is None or value is None:
            continue
        name, index, kind, scale, part = known
        made = _one(f"{name}.{index}", kind, value * scale, index)
        device = device or ("" if part else made.name)
        readings.append((part, made))
    return _found(readings, device)


def read_pdu_exposition(scrape: Scrape) -> Found:
    """The same, as snmp_exporter writes it."""
    readings = []
    device = ""
    for name, (kind, scale, part) in _NAMES.items():
        for series, value in scrape.named(name):
            made = _one(series.text, kind, value * scale, series.label("instance") or "")
            device = device or ("" if part else made.name)
            readings.append((part, made))
    return _found(readings, device) if readings else Found(format="")


def _found(readings: list[tuple[bool, Reading]], device: str) -> Found:
    made = [dataclasses.replace(r, part_of=device if part else "") for part, r in readings]
    problems = () if made else ("pdu: no object has a number.",)
    return Found(format="snmp pdu", readings=tuple(made), problems=problems)


def _object(key: str) -> tuple[str, str, str, float, bool] | None:
    found = _KEY.fullmatch(key[:200])
    if found is None:
        return None
    oid = found[1].lstrip(".")
    name = _OBJECTS[oid][0] if oid in _OBJECTS else found[1]
    return (name, found[2], *_NAMES[name]) if name in _NAMES else None


def _one(name: str, kind: str, value: float, node: str) -> Reading:
    form: Form = "counter" if kind == "energy" else "gauge"
    return reading(name, kind, form, value, node=node, component="host")
