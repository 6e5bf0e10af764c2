"""AMD's device-metrics-exporter: energy of each GPU in microjoules, and its power in watts.

Names are `gpu_energy_consumed`, `gpu_package_power` (MI3xx), `gpu_average_package_power` (MI2xx)
and `gpu_power_usage`, often with `amd_` in front, in capitals in its documentation. A GPU cut into
partitions has one meter: only partition 0 says a power, the others say 0 and are left out. Jobs and
pods stand in labels.

Source: ROCm/device-metrics-exporter, docs/configuration/metricslist.md.
"""

from __future__ import annotations

from typing import Final

from tree6g.meter.exposition import Scrape
from tree6g.meter.exposition_line import Series
from tree6g.meter.reading import Form, Found, Reading, reading
from tree6g.meter.sources.holders import holder

_ENERGY: Final = ("gpu_energy_consumed",)
_POWER: Final = ("gpu_package_power", "gpu_average_package_power", "gpu_power_usage")
_BUSY: Final = ("gpu_gfx_activity",)


def read_amd_gpu(scrape: Scrape) -> Found:
    """Energy, power and use of each GPU."""
    memo = scrape.layout.memo
    if _ENERGY not in memo:  # once for as long as the series stay the same
        memo[_ENERGY] = {n.lower().removeprefix("amd_"): n for n in scrape.layout.places}
    names: dict[str, str] = memo[_ENERGY]
    if not any(name in names for name in (*_ENERGY, *_POWER[:2])):
        return Found(format="")
    problems: list[str] = []
    readings = [
        *_cards(scrape, names, _ENERGY, "energy", 1e-6),
        *_cards(scrape, names, _POWER, "power", 1.0),
        *_cards(scrape, names, _BUSY, "gpu_busy", 0.01),
    ]
    if not any(r.kind == "energy" for r in readings):
        problems.append(
            "amd: no GPU_ENERGY_CONSUMED; add it to the exporter's fields. Energy can only be "
            "estimated from power at each look."
        )
    return Found(format="amd gpu", readings=tuple(readings), problems=tuple(problems))


def _cards(
    scrape: Scrape, names: dict[str, str], wanted: tuple[str, ...], kind: str, scale: float
) -> list[Reading]:
    """One reading for each card, of the first name that is there."""
    name = next((names[w] for w in wanted if w in names), None)
    if name is None:
        return []
    form: Form = "counter" if kind == "energy" else "gauge"
    found: dict[str, Reading] = {}
    for series, value in scrape.named(name):
        if (series.label("gpu_partition_id", "partition_id") or "0") != "0":
            continue
        node = _node(series)
        made = reading(
            series.text, kind, form, value, scale=scale,
            node=node, component="gpu", tenant=holder(series),
        )  # fmt: skip
        found.setdefault(node, made)
    return list(found.values())


def _node(series: Series) -> str:
    host = series.label("hostname", "instance", "node") or ""
    card = series.label("gpu_uuid", "serial_number", "gpu_id") or "gpu"
    return f"{host}/{card}" if host else card
