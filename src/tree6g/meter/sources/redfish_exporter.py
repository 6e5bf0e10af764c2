"""Redfish through Prometheus: redfish_exporter and idrac_exporter, power of a chassis.

`redfish_chassis_power_average_consumed_watts{chassis_id}` is `PowerControl[].PowerMetrics`, a mean
over the controller's own interval; `idrac_power_control_consumed_watts{id}` is the power now.
Entry 0 is the chassis, others are parts of it. Inputs of power supplies are the same power before
their losses; they are read where there is no such entry, outputs never: on some boards they are
off by several times.

Source: jenningsloy318/redfish_exporter, mrlhansen/idrac_exporter; DMTF DSP0268, PowerControl.
"""

from __future__ import annotations

import dataclasses
from typing import Final

from tree6g.meter.exposition import Scrape
from tree6g.meter.exposition_line import Series
from tree6g.meter.reading import Found, Reading, reading

_CONTROL: Final = (
    "redfish_chassis_power_average_consumed_watts", "idrac_power_control_consumed_watts",
)  # fmt: skip
_INPUT: Final = (
    "redfish_chassis_power_powersupply_power_input_watts", "idrac_power_supply_input_watts",
)  # fmt: skip
_ENTRY: Final = ("power_voltage_id", "power_wattage_id", "id")


def read_redfish_exporter(scrape: Scrape) -> Found:
    """Power of each chassis."""
    if not scrape.layout.has((*_CONTROL, *_INPUT)):
        return Found(format="")
    readings: list[Reading] = []
    for control, inputs in zip(_CONTROL, _INPUT, strict=True):
        own = list(_control(scrape.named(control)))
        readings += own
        outer = {r.node: r.name for r in own if not r.part_of}
        supplies = [_one(series, value) for series, value in scrape.named(inputs)]
        readings += [dataclasses.replace(r, part_of=outer.get(r.node, "")) for r in supplies]
    return Found(format="redfish_exporter", readings=tuple(readings))


def _control(found: list[tuple[Series, float]]) -> list[Reading]:
    """The first entry of a chassis is all of it."""
    first: dict[str, str] = {}
    made = []
    for series, value in sorted(found, key=lambda row: row[0].label(*_ENTRY) or ""):
        r = _one(series, value)
        made.append(dataclasses.replace(r, part_of=first.get(r.node, "")))
        if r.value_si:
            first.setdefault(r.node, r.name)
    return made


def _one(series: Series, value: float) -> Reading:
    places = (series.label("instance", "ip", "host"), series.label("chassis_id"))
    node = "/".join(place for place in places if place)
    return reading(series.text, "power", "gauge", value, node=node, component="host")
