"""srsRAN's metrics as JSON lines: bit rates of terminals, power of the application.

`dl_brate` and `ul_brate` are bit/s at the MAC, averaged over the reporting period, for each
terminal; old releases write `cell_list`, `cell_container`, `ue_container`. Throughput of the PDCP
is the same bits a layer higher, a part that is not added. `power_consumption_watts` is of RAPL.

Source: srsRAN Project documentation, metrics of the JSON log.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from tree6g.meter.reading import Found, Reading, reading
from tree6g.meter.sources.fields import mappings, number, text
from tree6g.meter.sources.rows import instant


def is_srsran(data: Mapping[str, Any]) -> bool:
    """Whether a line is one of its reports."""
    return bool({"cells", "cell_list", "app_resource_usage", "cu-up", "ue_list"} & set(data))


def read_srsran(lines: list[Mapping[str, Any]]) -> Found:
    """Rates and power at each report."""
    readings: list[Reading] = []
    for data in lines:
        made = [*_cells(data), *_power(data), *_pdcp(data)]
        time = _time(data)
        readings += [dataclasses.replace(r, t1_s=time) for r in made]
    problems = ["srsran: bit rates are of the MAC, with its headers and repetitions."]
    if not any(r.kind == "power" for r in readings):
        problems.append("srsran: no power_consumption_watts; the host gives no RAPL.")
    return Found(format="srsran", readings=tuple(readings), problems=tuple(problems))


def _time(data: Mapping[str, Any]) -> float | None:
    return instant(text(data, "timestamp") or str(number(data, "timestamp") or ""))


def _cells(data: Mapping[str, Any]) -> Iterator[Reading]:
    cells = [*mappings(data.get("cells")), *mappings(data.get("cell_list"))]
    for cell in cells or [data]:
        inner = cell.get("cell_container", cell)
        inner = inner if isinstance(inner, Mapping) else cell
        for outer in mappings(inner.get("ue_list")):
            found = outer.get("ue_container", outer)
            yield from _terminal(found if isinstance(found, Mapping) else outer)


def _terminal(ue: Mapping[str, Any]) -> Iterator[Reading]:
    node = f"pci {text(ue, 'pci') or '?'} rnti {text(ue, 'rnti', 'ue') or '?'}"
    for key, kind in (("dl_brate", "bit_dl"), ("ul_brate", "bit_ul")):
        value = number(ue, key)
        if value is not None:
            yield reading(f"{key} {node}", kind, "gauge", value, node=node, component="radio_unit")


def _power(data: Mapping[str, Any]) -> Iterator[Reading]:
    value = number(data, "app_resource_usage", "power_consumption_watts")
    if value is not None:
        name = "app_resource_usage.power_consumption_watts"
        yield reading(name, "power", "gauge", value, component="baseband")


def _pdcp(data: Mapping[str, Any]) -> Iterator[Reading]:
    for way in ("dl", "ul"):
        value = number(data, "cu-up", "pdcp", way, "average_throughput_mbps")
        if value is not None:
            name = f"cu-up.pdcp.{way}.average_throughput_mbps"
            made = reading(name, f"bit_{way}", "gauge", value, scale=1e6, component="baseband")
            yield dataclasses.replace(made, part_of=f"{way}_brate")
