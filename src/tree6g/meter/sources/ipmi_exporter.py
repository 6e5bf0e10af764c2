"""prometheus-community's ipmi_exporter: power of a machine as its management controller says.

`ipmi_dcmi_power_consumption_watts` (until 1.0 `..._consumption_current_watts`) is the whole
machine. `ipmi_power_watts{id,name}` are sensors that vendors name as they like: inputs of power
supplies add up to the machine, an output or a rail is inside of it, and a sensor of the whole
stands beside them. So with the former all sensors are parts of it; without it one sensor of the
whole counts, else the inputs together; every other sensor is told and not added. A controller that
cannot measure says 0 in versions before 1.7, which is told.

Source: ipmi_exporter, docs/metrics.md and CHANGELOG; sensors as Dell, HPE and Supermicro name them.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Final

from tree6g.meter.exposition import Scrape
from tree6g.meter.exposition_line import Series
from tree6g.meter.reading import Found, Reading, reading

_DCMI: Final = ("ipmi_dcmi_power_consumption_watts", "ipmi_dcmi_power_consumption_current_watts")
_SENSOR: Final = "ipmi_power_watts"
_WHOLE: Final = re.compile(
    r"(pwr|power) (consumption|meter)|(sys|system|total)[ _]?po?we?r", re.IGNORECASE
)
_INPUT: Final = re.compile(r"power in\b|input power|\bpin\b", re.IGNORECASE)
_NO_WHOLE: Final = "no sensor of the whole machine and none of an input; nothing is added up"


def read_ipmi_exporter(scrape: Scrape) -> Found:
    """Power of the machine, once; what is inside of it as parts."""
    if not scrape.layout.has(("ipmi_dcmi_power", _SENSOR)):
        return Found(format="")
    problems: list[str] = []
    dcmi = next((name for name in _DCMI if name in scrape.layout.places), _DCMI[0])
    whole = [_one(series, value) for series, value in scrape.named(dcmi)]
    problems += [f"{r.name}: 0 W; its controller may not measure." for r in whole if not r.value_si]
    whole = [r for r in whole if r.value_si]
    sensors = [(s.label("name") or "", _one(s, v)) for s, v in scrape.named(_SENSOR)]
    if not whole and sensors:
        named = [r for name, r in sensors if _WHOLE.search(name) and r.value_si]
        inputs = [r for name, r in sensors if _INPUT.search(name) and r.value_si is not None]
        whole = named[:1] or inputs
        if not whole:
            problems.append(f"ipmi: {_NO_WHOLE}.")
    counted = {r.name for r in whole}
    parent = whole[0].name if whole else "the machine"
    parts = [dataclasses.replace(r, part_of=parent) for _, r in sensors if r.name not in counted]
    return Found(format="ipmi_exporter", readings=(*whole, *parts), problems=tuple(problems))


def _one(series: Series, value: float) -> Reading:
    node = series.label("instance", "node", "host") or ""
    return reading(series.text, "power", "gauge", value, node=node, component="host")
