"""NVIDIA's dcgm-exporter: energy of each GPU since the driver was loaded, in mJ, and its power.

A card cut into instances (MIG), or shared by pods, is listed several times with the power of the
whole card: it counts once, by its UUID. The label `Hostname` became `hostname` in 2026.

Nothing meters an instance. What it is given here is a rule: its compute slices of the card's seven
(`GPU_I_PROFILE="3g.40gb"` has three), marked estimated and part of the card, which stays the sum;
slices that nobody holds remain the card's. Pods that take turns on a card (time slicing) have no
share that a label tells: the card goes to them by their tokens, as any shared node. A card that one
pod holds carries its name as tenant.

Source: dcgm-exporter, default counters; DCGM field identifiers 155, 156, 203; MIG user guide.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Final

from tree6g.meter.exposition import Scrape
from tree6g.meter.exposition_line import Series
from tree6g.meter.reading import Form, Found, Reading, reading
from tree6g.meter.sources.holders import holder

_ENERGY: Final = "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"
_POWER: Final = ("DCGM_FI_DEV_POWER_USAGE", "DCGM_FI_DEV_POWER_USAGE_INSTANT")
_BUSY: Final = "DCGM_FI_DEV_GPU_UTIL"
_SLICES: Final = 7  # of compute in every card that can be cut
_PROFILE: Final = re.compile(r"(\d+)g\.")


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
    cards: dict[tuple[str, str], list[tuple[Series, float]]] = {}
    for series, value in scrape.named(name):
        key = card(series)
        if key in cards:
            problems.append(
                f"{name}: card {key[1]} is listed again ({_sharer(series)}); counts once."
            )
        cards.setdefault(key, []).append((series, value))
    form: Form = "counter" if kind == "energy" else "gauge"
    found = []
    for (host, uuid), listed in cards.items():
        holders = {holder(series) for series, _ in listed}
        whole = reading(
            Series(name, (("gpu", uuid),)).text, kind, form, max(v for _, v in listed), scale=scale,
            node=f"{host}/{uuid}" if host else uuid, component="gpu",
            tenant=holders.pop() if len(holders) == 1 else "",
        )  # fmt: skip
        found.append(whole)
        if kind != "gpu_busy":
            found += _instances(whole, [series for series, _ in listed])
    return found


def _instances(whole: Reading, listed: Sequence[Series]) -> list[Reading]:
    """Shares of a card by the compute slices of its instances; parts of it, never added to it."""
    made = {}
    for series in listed:
        profile = _PROFILE.match(series.label("GPU_I_PROFILE") or "")
        instance = series.label("GPU_I_ID")
        if profile is None or instance is None or whole.value_si is None:
            continue
        share = min(int(profile[1]), _SLICES) / _SLICES
        made[instance] = dataclasses.replace(
            whole,
            name=f"{whole.name} instance {instance}",
            value_si=whole.value_si * share,
            node=f"{whole.node}/{instance}",
            tenant=holder(series),
            part_of=whole.name,
            origin="estimated",
        )
    return list(made.values())


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
