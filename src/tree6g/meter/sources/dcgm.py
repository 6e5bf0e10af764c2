"""NVIDIA's dcgm-exporter: energy of each GPU since the driver was loaded, in mJ, and its power.

A card cut into instances (MIG), or shared by pods, is listed several times with the power of the
whole card: it counts once, by its UUID. The label `Hostname` became `hostname` in 2026.

Source: dcgm-exporter, default counters; DCGM field identifiers 155, 156, 203.
"""

from __future__ import annotations

from typing import Final

from tree6g.meter.exposition import Scrape
from tree6g.meter.exposition_line import Series
from tree6g.meter.reading import Form, Found, Reading, reading

_ENERGY: Final = "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"
_POWER: Final = ("DCGM_FI_DEV_POWER_USAGE", "DCGM_FI_DEV_POWER_USAGE_INSTANT")
_BUSY: Final = "DCGM_FI_DEV_GPU_UTIL"


def read_dcgm(scrape: Scrape) -> Found:
    """Energy, power and use of each card."""
    if not scrape.layout.has(("DCGM_FI_",)):
        return Found(format="")
    problems: list[str] = []
    readings = _cards(scrape, _ENERGY, "energy", 1e-3, problems)
    power = next((name for name in _POWER if name in scrape.layout.places), _POWER[0])
    readings += _cards(scrape, power, "power", 1.0, problems)
    readings += _cards(scrape, _BUSY, "gpu_busy", 0.01, problems)
    if not any(r.kind == "energy" for r in readings):
        problems.append(
            f"dcgm: no {_ENERGY}; add field 156 to the exporter's list of counters. Energy can "
            "only be estimated from power at each look."
        )
    return Found(format="dcgm", readings=tuple(readings), problems=tuple(problems))


def _cards(
    scrape: Scrape, name: str, kind: str, scale: float, problems: list[str]
) -> list[Reading]:
    cards: dict[tuple[str, str], tuple[Series, float]] = {}
    for series, value in scrape.named(name):
        key = card(series)
        if key in cards:
            problems.append(
                f"{name}: card {key[1]} is listed again ({_sharer(series)}); counts once."
            )
        if key not in cards or value > cards[key][1]:
            cards[key] = (series, value)
    form: Form = "counter" if kind == "energy" else "gauge"
    return [
        reading(
            Series(name, (("gpu", uuid),)).text, kind, form, value, scale=scale,
            node=f"{host}/{uuid}" if host else uuid, component="gpu",
        )
        for (host, uuid), (_, value) in cards.items()
    ]  # fmt: skip


def card(series: Series) -> tuple[str, str]:
    """Host and card of a series."""
    host = series.label("Hostname", "hostname", "instance", "node") or ""
    return host, series.label("UUID", "uuid", "gpu_uuid", "gpu", "device") or "gpu"


def _sharer(series: Series) -> str:
    shared = [
        f"{name} {series.label(name)}"
        for name in ("GPU_I_ID", "pod", "container", "exported_pod")
        if series.label(name)
    ]
    return ", ".join(shared) or "the same labels"
