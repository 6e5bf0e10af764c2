"""Intel's XPU Manager: energy and power of each GPU, and of its tiles as parts of it.

`xpum_energy_joules` (with `_total` where the client adds it) since boot, `xpum_power_watts` now;
with label `sub_dev` of a tile, with `card` of a card that holds several GPUs: the sum of theirs.

Source: intel/xpumanager, Prometheus exporter, names and labels of `prometheus_exporter.py`.
"""

from __future__ import annotations

import dataclasses
from typing import Final

from tree6g.meter.exposition import Scrape
from tree6g.meter.exposition_line import Series
from tree6g.meter.reading import Form, Found, Reading, reading
from tree6g.meter.sources.holders import holder

_NAMES: Final = (
    ("xpum_energy_joules_total", "energy", 1.0),
    ("xpum_energy_joules", "energy", 1.0),
    ("xpum_power_watts", "power", 1.0),
    ("xpum_engine_ratio", "gpu_busy", 1.0),
)


def read_intel_gpu(scrape: Scrape) -> Found:
    """Energy, power and use of each GPU."""
    if not scrape.layout.has(("xpum_energy", "xpum_power")):
        return Found(format="")
    readings: list[Reading] = []
    for name, kind, scale in _NAMES:
        form: Form = "counter" if kind == "energy" else "gauge"
        found = [(s, v) for s, v in scrape.named(name) if s.label("card") is None]
        whole = {_node(s): s.text for s, _ in found if s.label("sub_dev") is None}
        for series, value in found:
            made = reading(
                series.text, kind, form, value, scale=scale,
                node=_node(series), component="gpu", tenant=holder(series),
            )  # fmt: skip
            outer = "" if series.label("sub_dev") is None else whole.get(_node(series), "")
            readings.append(dataclasses.replace(made, part_of=outer))
    return Found(format="intel xpu manager" if readings else "", readings=tuple(readings))


def _node(series: Series) -> str:
    host = series.label("node", "instance") or ""
    card = series.label("uuid", "pci_bdf") or "gpu"
    return f"{host}/{card}" if host else card
